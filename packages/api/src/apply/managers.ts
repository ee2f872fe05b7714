import { isJsonArray, isJsonObject, type Json, type JsonObject } from '../json/json.ts'
import { FieldSet } from './field-set.ts'
import { FieldSetError } from './path-element.ts'

/** As many entries of updates as an object keeps; older ones are folded together. */
const maxUpdateManagers = 10
/** The entry that holds what the oldest updaters owned. */
const ancientManager = 'ancient-changes'

/** One entry of `metadata.managedFields`, decoded. */
export interface Manager {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
  readonly time: string | undefined
  readonly fields: FieldSet
}

/** Managers by identity: name, operation, subresource and, for updates, apiVersion. */
export type Managers = ReadonlyMap<string, Manager>

/** Appliers keep their identity when they move to another version of the API; updaters do not. */
export function identityOf(manager: Omit<Manager, 'fields' | 'time'>): string {
  const version = manager.operation === 'Apply' ? '' : manager.apiVersion
  return JSON.stringify([manager.name, manager.operation, version, manager.subresource])
}

/** Decodes `metadata.managedFields`; undefined when any entry is not one. */
export function decodeManagers(entries: Json | undefined): Managers | undefined {
  const managers = new Map<string, Manager>()
  if (entries === undefined || entries === null) return managers
  if (!isJsonArray(entries)) return undefined
  for (const entry of entries) {
    const manager = isJsonObject(entry) ? decodeManager(entry) : undefined
    if (manager === undefined) return undefined
    managers.set(identityOf(manager), manager)
  }
  return managers
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

function decodeManager(entry: JsonObject): Manager | undefined {
  const operation = entry['operation']
  const apiVersion = text(entry['apiVersion'])
  if (operation !== 'Apply' && operation !== 'Update') return undefined
  if (entry['fieldsType'] !== 'FieldsV1' || apiVersion === '') return undefined
  const fields = decodeFields(entry['fieldsV1'] ?? {})
  if (fields === undefined) return undefined
  const time = typeof entry['time'] === 'string' ? entry['time'] : undefined
  return { name: text(entry['manager']), operation, apiVersion, subresource: text(entry['subresource']), time, fields }
}

function decodeFields(fields: Json): FieldSet | undefined {
  try {
    return FieldSet.parse(fields)
  } catch (error) {
    // Clients may send anything here; what cannot be read counts as not sent.
    if (error instanceof FieldSetError) return undefined
    throw error
  }
}

/** Whether a client asks to forget all ownership: an empty list, or one empty entry. */
export function isReset(entries: Json | undefined): boolean {
  if (!isJsonArray(entries)) return false
  const [first] = entries
  return entries.length === 0 || (entries.length === 1 && isJsonObject(first) && Object.keys(first).length === 0)
}

/** `metadata.managedFields` in Kubernetes' order; undefined when nobody owns anything. */
export function encodeManagers(managers: Managers): Json | undefined {
  if (managers.size === 0) return undefined
  return [...managers.values()].sort(compareManagers).map((manager) => ({
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time === undefined ? {} : { time: manager.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: manager.fields.toJson(),
    ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
  }))
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function compareManagers(a: Manager, b: Manager): number {
  return (
    compare(a.operation, b.operation) ||
    compareTimes(a.time, b.time) ||
    compare(a.name, b.name) ||
    compare(a.apiVersion, b.apiVersion) ||
    compare(a.subresource, b.subresource)
  )
}

/** By second, an entry without time first. Times in UTC are in the order of their text. */
function compareTimes(a = '', b = ''): number {
  if (a.endsWith('Z') && b.endsWith('Z')) return compare(a.slice(0, 19), b.slice(0, 19))
  return (Date.parse(a) || 0) - (Date.parse(b) || 0)
}

/** Folds the oldest updaters of a version together until no more than ten are left. */
export function capManagers(managers: Managers): Managers {
  const updaters = [...managers].filter(([, manager]) => manager.operation === 'Update')
  let count = updaters.length
  if (count <= maxUpdateManagers) return managers
  const capped = new Map(managers)
  const first = new Map<string, string>()
  updaters.sort(([idA, a], [idB, b]) => compareTimes(a.time, b.time) || compare(idA, idB))
  for (const [id, manager] of updaters) {
    if (count <= maxUpdateManagers) break
    const oldest = first.get(manager.apiVersion)
    if (oldest === undefined) {
      // The first of a version is only remembered; the bucket appears with the second one.
      first.set(manager.apiVersion, id)
      continue
    }
    const bucket: Manager = { ...manager, name: ancientManager, operation: 'Update', subresource: '' }
    const bucketId = identityOf(bucket)
    const held = capped.get(bucketId) ?? capped.get(oldest)
    capped.delete(oldest)
    capped.delete(id)
    capped.set(bucketId, { ...bucket, fields: manager.fields.union(held?.fields ?? FieldSet.empty) })
    count--
  }
  return capped
}
