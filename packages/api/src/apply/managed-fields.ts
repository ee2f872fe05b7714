import { equalJson, isJsonObject, type Json, type JsonObject, type MutableJsonObject } from '../json/json.ts'
import { PatchError } from '../patch/patch-error.ts'
import type { JsonSchema } from '../schema/json-schema.ts'
import { type Comparison, compareObjects } from './compare.ts'
import { FieldSet } from './field-set.ts'
import { type MapType, rootTypeOf } from './field-type.ts'
import { lastAppliedFields, withLastApplied } from './last-applied.ts'
import {
  capManagers,
  decodeManagers,
  encodeManagers,
  identityOf,
  isReset,
  type Manager,
  type Managers,
} from './managers.ts'
import { fieldElement, formatFieldPath } from './path-element.ts'
import { pruneUnapplied, reconcileWithSchema } from './prune.ts'
import { checkTyped } from './typed-check.ts'
import { fieldSetOf, mergeObjects } from './typed-value.ts'

/**
 * Server-side apply and field management after structured-merge-diff, over the same schemas that
 * validate (list types, map keys, atomic maps). Fields of an object no schema describes are deduced.
 */

export interface FieldConflict {
  readonly manager: string
  readonly apiVersion: string
  readonly subresource?: string
  /** RFC 3339, as in the entry; absent where the entry has none. */
  readonly time?: string
  readonly operation: 'Apply' | 'Update'
  /** `.spec.replicas`, `.spec.items[name="a"].image`. */
  readonly path: string
}

interface WriteInput {
  readonly live?: JsonObject
  readonly schema: JsonSchema
  readonly manager: string
  /** Of the request, e.g. `v1` or `example.com/v1`. */
  readonly apiVersion: string
  /** For the entry's `time`, RFC 3339. */
  readonly time: string
  readonly subresource?: string
  /** Top-level fields that this endpoint resets, so nobody owns them through it: `status`, or `spec` for `/status`. */
  readonly resetFields?: readonly string[]
}

/** `live` is absent when the object does not exist yet. */
export interface ApplyInput extends WriteInput {
  /** The applied configuration, validated to be an object of the right kind. */
  readonly config: JsonObject
  readonly force: boolean
}

export type ApplyOutcome =
  | { readonly state: 'merged'; readonly object: JsonObject }
  | { readonly state: 'conflict'; readonly conflicts: readonly FieldConflict[] }

export interface UpdateInput extends WriteInput {
  /** What would be stored, with the managedFields the client sent (or none). */
  readonly next: JsonObject
}

/** Takes the fields of an object that existed before anybody applied. */
const beforeFirstApply = 'before-first-apply'
/** The manager that inherits what client-side `kubectl apply` set. */
const kubectl = 'kubectl'
/** Nobody owns these: the server does. */
const systemFields = FieldSet.of(
  ['apiVersion'],
  ['kind'],
  ['metadata'],
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['metadata', 'creationTimestamp'],
  ['metadata', 'selfLink'],
  ['metadata', 'uid'],
  ['metadata', 'clusterName'],
  ['metadata', 'generation'],
  ['metadata', 'managedFields'],
  ['metadata', 'resourceVersion'],
)

/** Merges `config` into `live` and returns the object with `metadata.managedFields` updated. Throws `PatchError`. */
export function applyServerSide(input: ApplyInput): ApplyOutcome {
  const { config, apiVersion, time } = input
  if (hasManagedFields(config)) throw new PatchError('malformed', 'metadata.managedFields must be nil')
  const type = rootTypeOf(input.schema)
  checkTyped(type, config)
  const live = withoutManagedFields(input.live ?? {})
  const actor: Omit<Manager, 'fields' | 'time'> = {
    name: input.manager === '' ? 'unknown' : input.manager,
    operation: 'Apply',
    apiVersion,
    subresource: input.subresource ?? '',
  }
  const id = identityOf(actor)
  const managers = reconciled(type, managersBeforeApply(input, type, live))
  const last = managers.get(id)
  const fields = withoutReset(fieldSetOf(type, config), input.resetFields)
  const claimed = new Map(managers).set(id, { ...actor, time: last?.time, fields })
  const owned = unionOf(claimed)
  const merged = mergeObjects(type, live, config)
  const result = last === undefined ? merged : pruneUnapplied({ type, merged, last: last.fields, owned })
  const comparison = comparisonOf(type, live, result, input.resetFields)
  const conflicts = conflictsOf(claimed, id, comparison)
  if (!input.force && conflicts.length > 0 && !areInherited(input, type, live, conflicts)) {
    return { state: 'conflict', conflicts: conflicts.flatMap(describeConflicts) }
  }
  const next = yieldFields(claimed, id, comparison)
  const own = fields.difference(systemFields)
  const isUnchanged = equalJson(live, result)
  if (own.isEmpty) next.delete(id)
  else next.set(id, { ...actor, time: isUnchanged ? last?.time : time, fields: own })
  const object = input.manager === kubectl ? withLastApplied(result, live, config) : result
  return { state: 'merged', object: withManagers(object, next) }
}

/** Field management of every write that is not an apply. Returns `next` with `metadata.managedFields` brought up to date. */
export function trackUpdate(input: UpdateInput): JsonObject {
  const next = withoutManagedFields(input.next)
  const managers = managersOfUpdate(input)
  // An object whose owners were forgotten stays untracked until the first apply.
  if (managers.size === 0 && input.live !== undefined) return next
  const type = rootTypeOf(input.schema)
  const live = withoutManagedFields(input.live ?? {})
  return withManagers(next, afterUpdate({ type, managers, live, next, input, name: input.manager }))
}

function afterUpdate(options: {
  readonly type: MapType
  readonly managers: Managers
  readonly live: JsonObject
  readonly next: JsonObject
  readonly input: WriteInput
  readonly name: string
}): Managers {
  const { type, live, next, input } = options
  const managers = reconciled(type, options.managers)
  const comparison = comparisonOf(type, live, next, input.resetFields)
  const actor: Omit<Manager, 'fields' | 'time'> = {
    name: options.name === '' ? 'unknown' : options.name,
    operation: 'Update',
    apiVersion: input.apiVersion,
    subresource: input.subresource ?? '',
  }
  const id = identityOf(actor)
  const result = yieldFields(managers, undefined, comparison)
  const taken = comparison.modified.union(comparison.added).difference(systemFields)
  if (!taken.isEmpty) {
    // Only a write that takes fields moves the time of its manager.
    const fields = taken.union(result.get(id)?.fields ?? FieldSet.empty)
    result.set(id, { ...actor, time: input.time, fields })
  }
  return capManagers(result)
}

/** A client that knows managedFields may edit them; one that sends none or nonsense changes nothing. */
function managersOfUpdate(input: UpdateInput): Managers {
  const live = decodeManagers(managedFieldsOf(input.live)) ?? new Map()
  if (input.subresource !== undefined && input.subresource !== '') return live
  const sent = managedFieldsOf(input.next)
  if (isReset(sent)) return new Map()
  const managers = decodeManagers(sent)
  return managers === undefined || managers.size === 0 ? live : managers
}

function managersBeforeApply(input: ApplyInput, type: MapType, live: JsonObject): Managers {
  const managers = decodeManagers(managedFieldsOf(input.live)) ?? new Map()
  if (managers.size > 0 || input.live === undefined) return managers
  const { subresource: _, ...rest } = input
  return afterUpdate({ type, managers, live: {}, next: live, input: rest, name: beforeFirstApply })
}

function reconciled(type: MapType, managers: Managers): Managers {
  const result = new Map(managers)
  for (const [id, manager] of managers) {
    const fields = reconcileWithSchema(type, manager.fields)
    if (fields !== manager.fields) result.set(id, { ...manager, fields })
  }
  return result
}

function comparisonOf(type: MapType, before: JsonObject, after: JsonObject, reset: readonly string[] = []): Comparison {
  const { removed, modified, added } = compareObjects(type, before, after)
  if (reset.length === 0) return { removed, modified, added }
  return {
    removed: withoutReset(removed, reset),
    modified: withoutReset(modified, reset),
    added: withoutReset(added, reset),
  }
}

function withoutReset(fields: FieldSet, reset: readonly string[] = []): FieldSet {
  return reset.length === 0 ? fields : fields.without(reset.map(fieldElement))
}

function unionOf(managers: Managers): FieldSet {
  let all = FieldSet.empty
  for (const manager of managers.values()) all = all.union(manager.fields)
  return all
}

interface Contested {
  readonly manager: Manager
  readonly fields: FieldSet
}

/** Fields of other managers that this write changes or adds. An equal value is no conflict: it is owned together. */
function conflictsOf(managers: Managers, actor: string, comparison: Comparison): readonly Contested[] {
  const changed = comparison.modified.union(comparison.added)
  if (changed.isEmpty) return []
  return [...managers]
    .filter(([id]) => id !== actor)
    .map(([, manager]) => ({ manager, fields: manager.fields.intersection(changed) }))
    .filter(({ fields }) => !fields.isEmpty)
    .sort((a, b) => (identityOf(a.manager) < identityOf(b.manager) ? -1 : 1))
}

function describeConflicts({ manager, fields }: Contested): FieldConflict[] {
  return [...fields.paths()].map((path) => ({
    manager: manager.name,
    apiVersion: manager.apiVersion,
    operation: manager.operation,
    ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
    path: formatFieldPath(path),
  }))
}

/** kubectl's apply takes over, without force, what kubectl's client-side apply had set and nobody changed since. */
function areInherited(input: ApplyInput, type: MapType, live: JsonObject, conflicts: readonly Contested[]): boolean {
  if (input.manager !== kubectl) return false
  const inherited = lastAppliedFields({ type, live, apiVersion: input.apiVersion })
  return inherited !== undefined && conflicts.every(({ fields }) => fields.difference(inherited).isEmpty)
}

/** All managers but the actor lose what was changed, added or removed; who has nothing left vanishes. */
function yieldFields(managers: Managers, actor: string | undefined, comparison: Comparison): Map<string, Manager> {
  const lost = comparison.modified.union(comparison.added).union(comparison.removed)
  const result = new Map<string, Manager>()
  for (const [id, manager] of managers) {
    const fields = id === actor ? manager.fields : manager.fields.difference(lost)
    if (!fields.isEmpty) result.set(id, fields === manager.fields ? manager : { ...manager, fields })
  }
  return result
}

const metadataOf = (object: JsonObject | undefined): JsonObject | undefined => {
  const metadata = object?.['metadata']
  return isJsonObject(metadata) ? metadata : undefined
}

const managedFieldsOf = (object: JsonObject | undefined): Json | undefined => metadataOf(object)?.['managedFields']

function hasManagedFields(config: JsonObject): boolean {
  const fields = managedFieldsOf(config)
  return fields !== undefined && fields !== null
}

function withoutManagedFields(object: JsonObject): JsonObject {
  const metadata = metadataOf(object)
  if (metadata === undefined || metadata['managedFields'] === undefined) return object
  const { managedFields: _, ...rest } = metadata
  return { ...object, metadata: rest }
}

function withManagers(object: JsonObject, managers: Managers): JsonObject {
  const entries = encodeManagers(managers)
  if (entries === undefined) return object
  const metadata: MutableJsonObject = { ...metadataOf(object) }
  metadata['managedFields'] = entries
  return { ...object, metadata }
}
