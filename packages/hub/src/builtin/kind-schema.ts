import { type JsonSchema, objectMetaSchema, type ResourceInfo } from '@orrery/api'

/** Small constructors, so that the tables of fields read as tables. */

export const text = (description: string): JsonSchema => ({ type: 'string', description })
export const flag = (description: string): JsonSchema => ({ type: 'boolean', description })
export const int32 = (description: string): JsonSchema => ({ type: 'integer', format: 'int32', description })
export const int64 = (description: string): JsonSchema => ({ type: 'integer', format: 'int64', description })
export const time = (description: string): JsonSchema => ({ type: 'string', format: 'date-time', description })

/** `metav1.MicroTime`: always six digits of a second. */
export const microTime = (description: string): JsonSchema => ({
  type: 'string',
  format: 'date-time',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{6}(Z|[+-]\\d{2}:\\d{2})$',
  description,
})

export const texts = (description: string): JsonSchema => ({
  type: 'array',
  description,
  items: { type: 'string', default: '' },
})

export const textMap = (description: string): JsonSchema => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string', default: '' },
})

export const object = (
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = [],
): JsonSchema => ({ type: 'object', description, properties, ...(required.length === 0 ? {} : { required }) })

/** A list whose items are found again by their keys, in apply and in strategic merge. */
export const listMap = (
  description: string,
  items: JsonSchema,
  ...keys: readonly [string, ...string[]]
): JsonSchema => ({
  type: 'array',
  description,
  items,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
  'x-kubernetes-patch-strategy': 'merge',
  'x-kubernetes-patch-merge-key': keys[0],
})

export const atomicList = (description: string, items: JsonSchema): JsonSchema => ({
  type: 'array',
  description,
  items,
  'x-kubernetes-list-type': 'atomic',
})

/** The schema of a whole kind: what every object has, and the kind's own fields. */
export function kindSchema(
  info: Pick<ResourceInfo, 'group' | 'version' | 'kind'>,
  description: string,
  own: { readonly properties: Readonly<Record<string, JsonSchema>>; readonly required?: readonly string[] },
): JsonSchema {
  return {
    type: 'object',
    description,
    ...(own.required === undefined ? {} : { required: own.required }),
    properties: {
      apiVersion: text(
        'APIVersion defines the versioned schema of this representation of an object. Servers convert recognized schemas to the latest internal value and may reject unrecognized ones.',
      ),
      kind: text(
        'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. In CamelCase, cannot be updated.',
      ),
      metadata: { ...objectMetaSchema, description: "Standard object's metadata." },
      ...own.properties,
    },
    'x-kubernetes-group-version-kind': [{ group: info.group, kind: info.kind, version: info.version }],
  }
}
