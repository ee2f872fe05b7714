import type { JsonObject } from '../json/json.ts'
import type { JsonSchema } from '../schema/json-schema.ts'

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

export interface ApplyInput {
  /** Absent when the object does not exist yet. */
  readonly live?: JsonObject
  /** The applied configuration, validated to be an object of the right kind. */
  readonly config: JsonObject
  readonly schema: JsonSchema
  readonly manager: string
  /** Of the request, e.g. `v1` or `example.com/v1`. */
  readonly apiVersion: string
  /** For the entry's `time`, RFC 3339. */
  readonly time: string
  readonly force: boolean
  readonly subresource?: string
}

export type ApplyOutcome =
  | { readonly state: 'merged'; readonly object: JsonObject }
  | { readonly state: 'conflict'; readonly conflicts: readonly FieldConflict[] }

/** Merges `config` into `live` and returns the object with `metadata.managedFields` updated. Throws `PatchError`. */
export function applyServerSide(_input: ApplyInput): ApplyOutcome {
  throw new Error('contract')
}

export interface UpdateInput {
  readonly live?: JsonObject
  /** What would be stored, with the managedFields the client sent (or none). */
  readonly next: JsonObject
  readonly schema: JsonSchema
  readonly manager: string
  readonly apiVersion: string
  readonly time: string
  readonly subresource?: string
}

/** Field management of every write that is not an apply. Returns `next` with `metadata.managedFields` brought up to date. */
export function trackUpdate(_input: UpdateInput): JsonObject {
  throw new Error('contract')
}
