import {
  checkDnsSubdomain,
  type Json,
  type JsonObject,
  type JsonSchema,
  parseJsonSchema,
  type ResourceInfo,
  stringifyJson,
} from '@orrery/api'
import type { ResourceDefinition, TableColumn } from './builtin.ts'
import { ageColumn, ageOf, column, nameColumn } from './columns.ts'
import { numberAt, objectAt, objectsAt, textAt, textsAt } from './fields.ts'
import { firstAt, type JsonPath, parseJsonPath } from './json-path.ts'

/**
 * One version of a CustomResourceDefinition as a definition like those of built-in kinds. The CRD was
 * validated when it was written. Throws `TypeError` when it does not have the version.
 */
export function definitionOfCustomResource(crd: JsonObject, version: string): ResourceDefinition {
  const spec = objectAt(crd, 'spec')
  const found = objectsAt(spec, 'versions').find((candidate) => textAt(candidate, 'name') === version)
  if (found === undefined)
    throw new TypeError(`The CustomResourceDefinition has no version ${JSON.stringify(version)}.`)
  const info = infoOf(spec, version)
  const subresources = objectAt(found, 'subresources')
  const scale = objectAt(subresources, 'scale')
  const labelSelectorPath = textAt(scale, 'labelSelectorPath')
  const selectable = objectsAt(found, 'selectableFields').map((field) => textAt(field, 'jsonPath'))
  return {
    info,
    schema: wholeSchema(objectAt(objectAt(found, 'schema'), 'openAPIV3Schema'), info),
    custom: true,
    status: Object.hasOwn(subresources, 'status'),
    ...(Object.hasOwn(subresources, 'scale')
      ? {
          scale: {
            specReplicasPath: textAt(scale, 'specReplicasPath'),
            statusReplicasPath: textAt(scale, 'statusReplicasPath'),
            ...(labelSelectorPath === '' ? {} : { labelSelectorPath }),
          },
        }
      : {}),
    generation: true,
    unconditionalUpdate: false,
    createOnUpdate: false,
    checkName: checkDnsSubdomain,
    selectableFields: selectable.map(fieldName),
    fieldsOf: selectableFieldsOf(selectable),
    columns: columnsOf(objectsAt(found, 'additionalPrinterColumns')),
  }
}

function infoOf(spec: JsonObject, version: string): ResourceInfo {
  const names = objectAt(spec, 'names')
  const kind = textAt(names, 'kind')
  const shortNames = textsAt(names, 'shortNames')
  const categories = textsAt(names, 'categories')
  return {
    group: textAt(spec, 'group'),
    version,
    kind,
    plural: textAt(names, 'plural'),
    singular: textAt(names, 'singular') || kind.toLowerCase(),
    namespaced: textAt(spec, 'scope') === 'Namespaced',
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  }
}

/** apiVersion, kind and metadata are implicit in the schema of a CRD. */
function wholeSchema(json: JsonObject, info: ResourceInfo): JsonSchema {
  const { schema } = parseJsonSchema(json, 'openAPIV3Schema')
  return {
    ...schema,
    type: 'object',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      ...schema.properties,
    },
    'x-kubernetes-group-version-kind': [{ group: info.group, kind: info.kind, version: info.version }],
  }
}

/** `.spec.color` is selected as `spec.color`. */
const fieldName = (path: string): string => path.replace(/^\./, '')

function selectableFieldsOf(paths: readonly string[]): ResourceDefinition['fieldsOf'] {
  if (paths.length === 0) return () => undefined
  const parsed = paths.map((path) => [fieldName(path), parseJsonPath(path) ?? []] as const)
  return (object) => Object.fromEntries(parsed.map(([name, path]) => [name, scalarText(firstAt(object, path))]))
}

const scalarText = (value: Json | undefined): string =>
  value === undefined || value === null || typeof value === 'object' ? '' : String(value)

function columnsOf(columns: readonly JsonObject[]): readonly TableColumn[] {
  return columns.length === 0 ? [nameColumn, ageColumnOfCustom] : [nameColumn, ...columns.map(printerColumn)]
}

const ageColumnOfCustom: TableColumn = { ...ageColumn, type: 'date' }

const columnTypes = ['integer', 'number', 'boolean', 'date'] as const

function printerColumn(source: JsonObject): TableColumn {
  const path = textAt(source, 'jsonPath')
  const type = columnTypes.find((candidate) => candidate === textAt(source, 'type')) ?? 'string'
  const format = textAt(source, 'format')
  const description = textAt(source, 'description') || `Custom resource definition column (in JSONPath format): ${path}`
  const cell = cellOf(parseJsonPath(path), type)
  return column(textAt(source, 'name'), description, cell, {
    type,
    priority: numberAt(source, 'priority') ?? 0,
    ...(format === '' ? {} : { format }),
  })
}

/** A missing value, or one of another type than the column's, is an empty cell. */
function cellOf(path: JsonPath | undefined, type: TableColumn['type']): TableColumn['cell'] {
  return (object, nowMs) => {
    const value = path === undefined ? undefined : firstAt(object, path)
    if (value === undefined || value === null) return null
    if (type === 'string') return typeof value === 'string' ? value : stringifyJson(value)
    if (type === 'date') return typeof value === 'string' ? ageOf(value, nowMs) : null
    if (type === 'boolean') return typeof value === 'boolean' ? value : null
    if (typeof value === 'bigint') return value
    if (typeof value !== 'number') return null
    return type === 'integer' ? Math.trunc(value) : value
  }
}
