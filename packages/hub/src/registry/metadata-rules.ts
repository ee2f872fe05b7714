import type { FieldError, Json, JsonObject } from '@orrery/api'
import type { Warnings } from '../http/warnings.ts'
import type { HubCore } from './core.ts'
import { isObject, type MutableObject, objectAt, objectsAt, textAt, textsAt } from './json-access.ts'
import type { ServedResource } from './served-resource.ts'

/** Members of metadata that only the server sets. */
const serverOwned = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink'] as const

/** Forgets what a client said in members that the server owns. */
export function wipeServerOwned(metadata: MutableObject): void {
  for (const key of serverOwned) delete metadata[key]
}

/**
 * Carries over what an update cannot change. A differing creationTimestamp or generation is replaced
 * silently, as in Kubernetes; other differences stay and fail validation.
 */
export function keepServerOwned(metadata: MutableObject, live: JsonObject): void {
  delete metadata['selfLink']
  for (const key of ['creationTimestamp', 'generation']) copyMember(metadata, live, key)
  for (const key of ['name', 'namespace', 'uid', 'deletionTimestamp', 'deletionGracePeriodSeconds']) {
    if (metadata[key] === undefined) copyMember(metadata, live, key)
  }
}

function copyMember(target: MutableObject, source: JsonObject, key: string): void {
  const value = source[key]
  if (value === undefined) delete target[key]
  else target[key] = value
}

/** Drops owner references that name an owner twice, and says so. */
export function dedupeOwners(metadata: MutableObject, warnings: Warnings): void {
  const owners = objectsAt(metadata, 'ownerReferences')
  if (owners.length < 2) return
  const seen = new Set<string>()
  const doubled = new Set<string>()
  const kept = owners.filter((owner) => {
    const uid = textAt(owner, 'uid')
    if (seen.has(uid)) doubled.add(uid)
    const isFirst = !seen.has(uid)
    seen.add(uid)
    return isFirst
  })
  if (doubled.size === 0) return
  metadata['ownerReferences'] = kept
  warnings.add(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...doubled].join(', ')}`,
  )
}

/** What an update must not do to metadata. */
export function checkMetadataUpdate(metadata: JsonObject, live: JsonObject): FieldError[] {
  const errors: FieldError[] = []
  for (const key of ['uid', 'deletionTimestamp', 'deletionGracePeriodSeconds']) {
    const value = metadata[key]
    if (value === live[key] || value === undefined) continue
    errors.push({
      path: `metadata.${key}`,
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(value)}: field is immutable`,
    })
  }
  if (live['deletionTimestamp'] === undefined) return errors
  const known = new Set(textsAt(live, 'finalizers'))
  const added = textsAt(metadata, 'finalizers').filter((finalizer) => !known.has(finalizer))
  if (added.length > 0) {
    const list = added.map((finalizer) => JSON.stringify(finalizer)).join(', ')
    const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`
    errors.push({ path: 'metadata.finalizers', reason: 'FieldValueForbidden', message })
  }
  return errors
}

/** Kubernetes allows one of the two garbage collection finalizers, not both. */
export function checkFinalizers(metadata: JsonObject): FieldError[] {
  const finalizers = textsAt(metadata, 'finalizers')
  if (!finalizers.includes('orphan') || !finalizers.includes('foregroundDeletion')) return []
  const message =
    'Invalid value: ["foregroundDeletion","orphan"]: finalizer orphan and foregroundDeletion cannot be both set'
  return [{ path: 'metadata.finalizers', reason: 'FieldValueInvalid', message }]
}

/** Whether anything changed that raises `metadata.generation`. */
export function changesGeneration(
  next: JsonObject,
  live: JsonObject,
  ignoreStatus: boolean,
  equal: (a: unknown, b: unknown) => boolean,
): boolean {
  const keys = new Set([...Object.keys(next), ...Object.keys(live)])
  for (const key of ['apiVersion', 'kind', 'metadata']) keys.delete(key)
  if (ignoreStatus) keys.delete('status')
  for (const key of keys) if (!equal(next[key], live[key])) return true
  return false
}

/** Top-level fields that a write through this endpoint does not come to own. */
export function resetFields(
  core: HubCore,
  resource: ServedResource,
  subresource: string,
  object: JsonObject,
): readonly string[] {
  const ofServer = core.strategies.get(resource.prefix)?.resetFields ?? []
  if (subresource === '') return resource.definition.status ? ['status', ...ofServer] : ofServer
  if (subresource !== 'status') return ofServer
  return Object.keys(object).filter((key) => !['apiVersion', 'kind', 'metadata', 'status'].includes(key))
}

/** The metadata of an object, which its owner may change; made when missing. */
export function mutableMetadata(object: MutableObject): MutableObject {
  const copy: MutableObject = { ...objectAt(object, 'metadata') }
  object['metadata'] = copy
  return copy
}

/** True when nothing but the passage of time in managedFields differs. */
export function sameIgnoringTimes(
  next: JsonObject,
  stored: JsonObject,
  equal: (a: unknown, b: unknown) => boolean,
): boolean {
  if (equal(next, stored)) return true
  const strip = (object: JsonObject): JsonObject => ({
    ...object,
    metadata: {
      ...objectAt(object, 'metadata'),
      managedFields: timeless(objectAt(object, 'metadata')['managedFields']),
    },
  })
  return equal(strip(next), strip(stored))
}

function timeless(entries: Json | undefined): Json {
  if (!Array.isArray(entries)) return null
  return entries.map((entry: Json) => (isObject(entry) ? { ...entry, time: null } : entry))
}
