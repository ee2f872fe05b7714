import { type FieldError, forbidden, invalid, required, tooLong, tooMany, typeInvalid } from './field-error.ts'
import { checkDnsLabel, checkLabelValue, checkQualifiedName } from './names.ts'

/** All annotations of one object together. */
const maxAnnotationsBytes = 256 * 1024
/** More managers than any object has; the list is parsed on every write of the object. */
const maxManagedFieldsEntries = 256
const maxManagerBytes = 128
const maxSubresourceBytes = 256
/** Finalizers that need no domain on built-in kinds. */
const standardFinalizers: readonly string[] = ['kubernetes', 'orphan', 'foregroundDeletion']
/** How many errors one object's metadata reports; the rest would say the same. */
const maxErrors = 100

type Members = Readonly<Record<string, unknown>>

const utf8Length = (text: string): number => new TextEncoder().encode(text).length

/** Validates names, labels, annotations, ownerReferences, finalizers and managedFields sizes of an object's metadata. */
export function checkObjectMeta(
  metadata: Readonly<Record<string, unknown>>,
  options: {
    readonly namespaced: boolean
    readonly customResource: boolean
    readonly checkName: (name: string) => string[]
  },
): FieldError[] {
  return [
    ...checkIdentity(metadata, options),
    ...checkLabels(metadata['labels']),
    ...checkAnnotations(metadata['annotations']),
    ...checkOwnerReferences(metadata['ownerReferences']),
    ...checkFinalizers(metadata['finalizers'], options.customResource),
    ...checkManagedFields(metadata['managedFields']),
  ].slice(0, maxErrors)
}

/** Kubernetes' warning about finalizers of custom resources that lack a domain; empty when all have one. */
export function finalizerWarnings(metadata: Members): string[] {
  return stringsOf(metadata['finalizers'])
    .filter((finalizer) => !finalizer.includes('/') && !standardFinalizers.includes(finalizer))
    .map(
      (finalizer) =>
        `metadata.finalizers: ${JSON.stringify(finalizer)}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers`,
    )
}

function checkIdentity(
  metadata: Members,
  options: { readonly namespaced: boolean; readonly checkName: (name: string) => string[] },
): FieldError[] {
  const errors: FieldError[] = []
  const name = textOf(metadata['name'], 'metadata.name', errors)
  const generateName = textOf(metadata['generateName'], 'metadata.generateName', errors)
  const namespace = textOf(metadata['namespace'], 'metadata.namespace', errors)
  if (errors.length > 0) return errors
  if (generateName !== '') {
    // The base is completed by a suffix of five letters, so it may end where a name may not.
    const masked = generateName.endsWith('-') ? `${generateName.slice(0, -1)}a` : generateName
    for (const detail of options.checkName(masked)) {
      errors.push(invalid('metadata.generateName', generateName, detail))
    }
  }
  if (name === '') errors.push(required('metadata.name', 'name or generateName is required'))
  else for (const detail of options.checkName(name)) errors.push(invalid('metadata.name', name, detail))
  if (!options.namespaced) {
    if (namespace !== '') errors.push(forbidden('metadata.namespace', 'not allowed on this type'))
  } else if (namespace === '') {
    errors.push(required('metadata.namespace'))
  } else {
    for (const detail of checkDnsLabel(namespace)) errors.push(invalid('metadata.namespace', namespace, detail))
  }
  return errors
}

function checkLabels(labels: unknown): FieldError[] {
  const errors: FieldError[] = []
  for (const [key, value] of stringEntries(labels, 'metadata.labels', errors)) {
    for (const detail of checkQualifiedName(key)) errors.push(invalid('metadata.labels', key, detail))
    for (const detail of checkLabelValue(value)) errors.push(invalid('metadata.labels', value, detail))
  }
  return errors
}

function checkAnnotations(annotations: unknown): FieldError[] {
  const errors: FieldError[] = []
  let sizeBytes = 0
  for (const [key, value] of stringEntries(annotations, 'metadata.annotations', errors)) {
    sizeBytes += utf8Length(key) + utf8Length(value)
    for (const detail of checkQualifiedName(key.toLowerCase()))
      errors.push(invalid('metadata.annotations', key, detail))
  }
  if (sizeBytes > maxAnnotationsBytes) errors.push(tooLong('metadata.annotations', maxAnnotationsBytes))
  return errors
}

function checkOwnerReferences(references: unknown): FieldError[] {
  const path = 'metadata.ownerReferences'
  const errors: FieldError[] = []
  let controller: string | undefined
  for (const reference of members(references, path, errors)) {
    const { apiVersion, kind, name, uid } = reference
    const version = typeof apiVersion === 'string' && apiVersion.split('/').length <= 2 ? apiVersion : ''
    if (version === '') errors.push(invalid(`${path}.apiVersion`, apiVersion ?? '', 'version must not be empty'))
    if (isMissing(kind)) errors.push(invalid(`${path}.kind`, kind ?? '', 'must not be empty'))
    if (isMissing(name)) errors.push(invalid(`${path}.name`, name ?? '', 'must not be empty'))
    if (isMissing(uid)) errors.push(invalid(`${path}.uid`, uid ?? '', 'must not be empty'))
    if (apiVersion === 'v1' && kind === 'Event') {
      errors.push(invalid(path, reference, '/v1, Kind=Event is disallowed from being an owner'))
    }
    if (reference['controller'] !== true) continue
    const current = [kind, name].join('/')
    if (controller === undefined) controller = current
    else {
      const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${current}`
      errors.push(invalid(path, references, detail))
    }
  }
  return errors
}

function checkFinalizers(finalizers: unknown, customResource: boolean): FieldError[] {
  const path = 'metadata.finalizers'
  const errors: FieldError[] = []
  const names = stringsOf(finalizers)
  if (Array.isArray(finalizers) && names.length !== finalizers.length) {
    errors.push(typeInvalid(path, 'array', 'finalizers must be strings'))
  }
  for (const [index, name] of names.entries()) {
    const details = checkQualifiedName(name)
    for (const detail of details) errors.push(invalid(path, name, detail))
    if (details.length > 0 || customResource || name.includes('/') || standardFinalizers.includes(name)) continue
    const detail = 'name is neither a standard finalizer name nor is it fully qualified'
    errors.push(invalid(`${path}[${index}]`, name, detail))
  }
  if (names.includes('orphan') && names.includes('foregroundDeletion')) {
    errors.push(invalid(path, names, 'finalizer orphan and foregroundDeletion cannot be both set'))
  }
  return errors
}

function checkManagedFields(entries: unknown): FieldError[] {
  const path = 'metadata.managedFields'
  const errors: FieldError[] = []
  const list = members(entries, path, errors)
  if (list.length > maxManagedFieldsEntries) errors.push(tooMany(path, list.length, maxManagedFieldsEntries))
  for (const [index, entry] of list.entries()) {
    const { manager, subresource } = entry
    if (typeof manager === 'string' && utf8Length(manager) > maxManagerBytes) {
      errors.push(tooLong(`${path}[${index}].manager`, maxManagerBytes))
    }
    if (typeof subresource === 'string' && utf8Length(subresource) > maxSubresourceBytes) {
      errors.push(tooLong(`${path}[${index}].subresource`, maxSubresourceBytes))
    }
  }
  return errors
}

const isMissing = (value: unknown): boolean => typeof value !== 'string' || value === ''

function textOf(value: unknown, path: string, errors: FieldError[]): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  errors.push(typeInvalid(path, typeName(value), 'must be a string'))
  return ''
}

function stringEntries(value: unknown, path: string, errors: FieldError[]): [string, string][] {
  const entries: [string, string][] = []
  for (const [key, member] of Object.entries(objectOf(value, path, errors))) {
    if (typeof member === 'string') entries.push([key, member])
    else errors.push(typeInvalid(`${path}[${key}]`, typeName(member), 'must be a string'))
  }
  return entries
}

function objectOf(value: unknown, path: string, errors: FieldError[]): object {
  if (value === undefined || value === null) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value
  errors.push(typeInvalid(path, typeName(value), 'must be an object'))
  return {}
}

function members(value: unknown, path: string, errors: FieldError[]): Members[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) {
    errors.push(typeInvalid(path, typeName(value), 'must be a list'))
    return []
  }
  return value.map((item: unknown, index) => ({ ...objectOf(item, `${path}[${index}]`, errors) }))
}

const stringsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []

const typeName = (value: unknown): string => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value)
