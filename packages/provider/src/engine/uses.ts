import type { ReferenceDefinition } from '../kind.ts'
import type { ProviderConfigObject } from '../kinds.ts'
import { referenceFields } from '../kinds.ts'
import type { ManagedObject } from '../managed.ts'
import { credentialSecretName, secretReference } from './credentials.ts'
import type { KindEntry, ProviderEntry } from './registry.ts'
import { isInstance, kindId, referencedKindId } from './registry.ts'

/** Who uses what: the one description from which waking, protection and deletion order follow. */
export interface Use {
  /** `Secret`, or `group/Kind`. */
  readonly kind: string
  readonly namespace: string
  /** Absent: any object of the kind in the namespace may be chosen, by labels. */
  readonly name?: string
}

/** Name of the informer index under which users are found. */
export const USES = 'uses'
export const SECRET = 'Secret'

export function useId(use: Use): string {
  return use.name === undefined ? `${use.kind}:${use.namespace}:*` : `${use.kind}:${use.namespace}/${use.name}`
}

/** Everything that a managed object needs: config, credential Secrets, references. */
export function usesOfObject(entry: Omit<KindEntry, 'informer' | 'memory'>, object: ManagedObject): readonly Use[] {
  const namespace = object.metadata.namespace ?? ''
  const uses: Use[] = []
  if (entry.definition.providerConfig !== 'none') {
    const ref = object.spec.providerConfigRef ?? { name: 'default' }
    const cluster = ref.kind === 'ClusterProviderConfig'
    uses.push({
      kind: kindId(entry.kind.group, ref.kind ?? 'ProviderConfig'),
      namespace: cluster ? '' : namespace,
      name: ref.name,
    })
  }
  if (isInstance(entry)) uses.push(...secretsOfInstance(entry, object))
  for (const credential of Object.values(entry.definition.credentials ?? {})) {
    const given = credential.from === undefined ? undefined : secretReference(object.spec.forProvider[credential.from])
    if (given !== undefined) uses.push({ kind: SECRET, namespace, name: given.name })
  }
  for (const [field, reference] of Object.entries(entry.definition.references ?? {})) {
    const kind = referencedKindId(entry, reference.to)
    if (object.spec.forProvider[referenceFields(field, reference).selector] !== undefined)
      uses.push({ kind, namespace })
    for (const name of namesIn(object, field, reference)) uses.push({ kind, namespace, name })
  }
  return uses
}

// The ways into an instance must outlive everything that is in it, also while its namespace is deleted.
function secretsOfInstance(entry: Pick<KindEntry, 'kind'>, object: ManagedObject): readonly Use[] {
  const namespace = object.metadata.namespace ?? ''
  const connection = object.spec.writeConnectionSecretToRef
  const generated: Use = { kind: SECRET, namespace, name: credentialSecretName(entry, object.metadata.name) }
  return connection === undefined ? [generated] : [generated, { kind: SECRET, namespace, name: connection.name }]
}

/** What a ProviderConfig needs: its credential Secret, or its instance and that instance's connection Secret. */
export function usesOfConfig(
  provider: Pick<ProviderEntry, 'definition'>,
  config: ProviderConfigObject,
): readonly Use[] {
  const { instanceRef, credentialsSecretRef } = config.spec
  const namespace = config.metadata.namespace ?? credentialsSecretRef?.namespace ?? ''
  const uses: Use[] = []
  if (credentialsSecretRef !== undefined) uses.push({ kind: SECRET, namespace, name: credentialsSecretRef.name })
  if (instanceRef !== undefined && provider.definition.instanceKind !== undefined) {
    uses.push({
      kind: kindId(provider.definition.group, provider.definition.instanceKind),
      namespace,
      name: instanceRef.name,
    })
  }
  return uses
}

/** Names an object refers to through one field: as given, or as last resolved by its selector. */
export function namesIn(object: ManagedObject, field: string, reference: ReferenceDefinition): readonly string[] {
  const given = object.spec.forProvider[referenceFields(field, reference).ref]
  if (given !== undefined) return (Array.isArray(given) ? given : [given]).map(nameOf)
  return object.status?.references?.[field]?.names ?? []
}

export function nameOf(reference: unknown): string {
  return typeof reference === 'object' &&
    reference !== null &&
    'name' in reference &&
    typeof reference.name === 'string'
    ? reference.name
    : ''
}
