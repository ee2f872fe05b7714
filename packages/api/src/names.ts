import type { FieldError } from './schema/structural.ts'

/** Rules for names, labels and metadata, with Kubernetes' texts. Each returns the violations as text, empty when valid. */
export function checkDnsSubdomain(_name: string): string[] {
  throw new Error('contract')
}
export function checkDnsLabel(_name: string): string[] {
  throw new Error('contract')
}
export function checkQualifiedName(_name: string): string[] {
  throw new Error('contract')
}
export function checkLabelValue(_value: string): string[] {
  throw new Error('contract')
}

/** Validates labels, annotations, ownerReferences, finalizers and managedFields sizes of an object's metadata. */
export function checkObjectMeta(
  _metadata: Readonly<Record<string, unknown>>,
  _options: {
    readonly namespaced: boolean
    readonly customResource: boolean
    readonly checkName: (name: string) => string[]
  },
): FieldError[] {
  throw new Error('contract')
}
