import type { FieldError, Json, JsonObject, JsonSchema, ResourceInfo } from '@orrery/api'

/** A column of a Table, after `metav1.TableColumnDefinition`, with the way to its cell. */
export interface TableColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format?: string
  readonly description: string
  readonly priority: number
  /** `now` serves ages. */
  readonly cell: (object: JsonObject, nowMs: number) => Json
}

/**
 * A built-in kind as data: everything in which it differs from the generic registry. Custom resources
 * become the same shape when their CRD is established, so there is one path through the registry.
 */
export interface ResourceDefinition {
  readonly info: ResourceInfo
  /** The whole object: apiVersion, kind, metadata and the rest, with list types, patch strategies and descriptions. */
  readonly schema: JsonSchema
  readonly custom: boolean
  readonly status: boolean
  readonly scale?: {
    readonly specReplicasPath: string
    readonly statusReplicasPath: string
    readonly labelSelectorPath?: string
  }
  /** Whether writes outside metadata (and status, when it is a subresource) raise `metadata.generation`. */
  readonly generation: boolean
  /** Whether an update without resourceVersion takes the live one. */
  readonly unconditionalUpdate: boolean
  readonly createOnUpdate: boolean
  readonly checkName: (name: string) => string[]
  /** Fields for field selectors beside metadata.name and metadata.namespace; names must be listed to be selectable. */
  readonly selectableFields: readonly string[]
  readonly fieldsOf: (object: JsonObject) => Readonly<Record<string, string>> | undefined
  readonly columns: readonly TableColumn[]
  /** Rules beyond the schema; for updates `old` is the stored object. */
  readonly validate?: (object: JsonObject, old: JsonObject | undefined) => FieldError[]
  /** Normalises before validation: stringData of Secrets, finalizers of Namespaces. Owns its argument. */
  readonly prepare?: (object: JsonObject, old: JsonObject | undefined) => void
}
