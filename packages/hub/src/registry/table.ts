import { type Json, type JsonObject, stringifyJson } from '@orrery/api'
import { badRequest } from '../http/errors.ts'
import { objectAt, textAt } from './json-access.ts'
import type { ServedResource } from './served-resource.ts'

/** What a row of a Table carries of its object. */
export type IncludeObject = 'Metadata' | 'Object' | 'None'

/** Reads `includeObject`. Throws 400. */
export function includeObjectOf(text: string): IncludeObject {
  if (text === '' || text === 'Metadata') return 'Metadata'
  if (text === 'Object' || text === 'None') return text
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(text.slice(0, 64))}: must be 'Metadata', 'Object', 'None', or empty`,
  )
}

export interface TableInput {
  readonly resource: ServedResource
  /** With resourceVersion. */
  readonly objects: readonly JsonObject[]
  readonly listMeta: JsonObject
  readonly include: IncludeObject
  /** `v1` or `v1beta1` of meta.k8s.io. */
  readonly version: string
  readonly nowMs: number
  /** Left out of all but the first event of a watch. */
  readonly withColumns: boolean
}

/** `meta.k8s.io Table`. */
export function tableOf(input: TableInput): JsonObject {
  const { resource, objects, listMeta, include, version, nowMs, withColumns } = input
  const { columns } = resource.definition
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: listMeta,
    columnDefinitions: withColumns
      ? columns.map(({ name, type, format, description, priority }) => ({
          name,
          type,
          format: format ?? '',
          description,
          priority,
        }))
      : null,
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, nowMs)),
      object: rowObject(object, include, version),
    })),
  }
}

function rowObject(object: JsonObject, include: IncludeObject, version: string): Json {
  if (include === 'None') return null
  return include === 'Object' ? object : partialObject(object, version)
}

/** A bookmark on a Table watch: a row without values. */
export function tableBookmark(resource: ServedResource, version: string, metadata: JsonObject): JsonObject {
  const { columns } = resource.definition
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: { resourceVersion: textAt(metadata, 'resourceVersion') },
    columnDefinitions: null,
    rows: [
      {
        cells: columns.map((_column, index) => (index === 0 ? '' : null)),
        object: { kind: resource.definition.info.kind, apiVersion: resource.apiVersion, metadata },
      },
    ],
  }
}

/** `meta.k8s.io PartialObjectMetadata`. */
export function partialObject(object: JsonObject, version: string): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: objectAt(object, 'metadata') }
}

/** Compact JSON as bytes. */
export function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(stringifyJson(value))
}
