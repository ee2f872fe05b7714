import { isJsonObject, type JsonObject, type JsonSchema, objectMetaSchema, parseJson, stringifyJson } from '@orrery/api'
import type { OpenApiKind } from './open-api-kind.ts'
import { metaNames, reference, schemaName } from './schema-names.ts'

const string = { type: 'string' } as const
const described = (type: string, description: string): JsonObject => ({ type, description })
const typeFields: JsonObject = {
  apiVersion: described('string', 'APIVersion defines the versioned schema of this representation of an object.'),
  kind: described('string', 'Kind is a string value representing the REST resource this object represents.'),
}

/** A schema as plain JSON. Schemas are data, so writing and reading loses nothing. */
function jsonOf(schema: JsonSchema): JsonObject {
  const { value } = parseJson(stringifyJson(schema))
  if (!isJsonObject(value)) throw new TypeError('A schema is written as an object.')
  return value
}

/** The schemas of a kind and of its list. Nested types stand where they are used. */
export function kindComponents(kind: OpenApiKind): JsonObject {
  const { info, schema, custom = false } = kind
  const name = schemaName(info, custom)
  const { properties = {}, ...rest } = schema
  const gvk = { group: info.group, version: info.version }
  const own = jsonOf({ ...rest, properties })
  const fields = isJsonObject(own['properties']) ? own['properties'] : {}
  return {
    [name]: {
      ...own,
      properties: { ...typeFields, ...fields, metadata: metadataOf(properties['metadata']) },
      'x-kubernetes-group-version-kind': [{ ...gvk, kind: info.kind }],
    },
    ...(kind.custom === undefined ? {} : { [`${name}List`]: listSchema(name, info.kind, gvk) }),
  }
}

/** All kinds share one schema of metadata; what a CRD says about names is added. */
function metadataOf(own: JsonSchema | undefined): JsonObject {
  const description = own?.description ?? "Standard object's metadata."
  const restrictsNames = own?.properties !== undefined && own.properties['managedFields'] === undefined
  const names = restrictsNames ? [jsonOf({ properties: own.properties })] : []
  return { description, default: {}, allOf: [reference(metaNames.objectMeta), ...names] }
}

function listSchema(item: string, kind: string, gvk: { readonly group: string; readonly version: string }): JsonObject {
  return {
    type: 'object',
    description: `${kind}List is a list of ${kind}.`,
    required: ['items'],
    properties: {
      ...typeFields,
      items: { type: 'array', description: `List of ${kind}.`, items: { default: {}, allOf: [reference(item)] } },
      metadata: { description: 'Standard list metadata.', default: {}, allOf: [reference(metaNames.listMeta)] },
    },
    'x-kubernetes-group-version-kind': [{ ...gvk, kind: `${kind}List` }],
  }
}

/** What every document refers to. `groupVersion` is the one whose options the document describes. */
export function metaComponents(groupVersion: { readonly group: string; readonly version: string }): JsonObject {
  return {
    [metaNames.objectMeta]: jsonOf(objectMetaSchema),
    [metaNames.listMeta]: {
      type: 'object',
      description: 'ListMeta describes metadata of lists.',
      properties: {
        continue: described('string', 'Set when more items are available: the token with which the list goes on.'),
        remainingItemCount: { type: 'integer', format: 'int64', description: 'How many items are not in this list.' },
        resourceVersion: described('string', 'The version of this list, from which it can be watched.'),
        selfLink: described('string', 'A legacy field that the system no longer fills.'),
      },
    },
    [metaNames.status]: statusSchema,
    [metaNames.deleteOptions]: {
      ...deleteOptionsSchema,
      'x-kubernetes-group-version-kind': [{ ...groupVersion, kind: 'DeleteOptions' }],
    },
    [metaNames.patch]: {
      type: 'object',
      description: 'Patch is provided to give a concrete name and type to the body of a patch.',
    },
  }
}

const statusSchema: JsonObject = {
  type: 'object',
  description: "Status is a return value for calls that don't return other objects.",
  properties: {
    ...typeFields,
    code: { type: 'integer', format: 'int32', description: 'HTTP status code.' },
    details: described('object', 'Extended data associated with the reason.'),
    message: described('string', 'A description of the status, for people.'),
    metadata: { default: {}, allOf: [reference(metaNames.listMeta)] },
    reason: described('string', 'A machine-readable description of why the operation failed.'),
    status: described('string', 'Success or Failure.'),
  },
  'x-kubernetes-group-version-kind': [{ group: '', kind: 'Status', version: 'v1' }],
}

const deleteOptionsSchema: JsonObject = {
  type: 'object',
  description: 'DeleteOptions may be provided when deleting an API object.',
  properties: {
    ...typeFields,
    dryRun: { type: 'array', description: 'All: nothing is persisted.', items: string },
    gracePeriodSeconds: {
      type: 'integer',
      format: 'int64',
      description: 'Seconds before the object should be deleted.',
    },
    orphanDependents: described('boolean', 'Deprecated: use propagationPolicy.'),
    preconditions: {
      type: 'object',
      description: 'Must be fulfilled before a deletion is carried out.',
      properties: { resourceVersion: string, uid: string },
    },
    propagationPolicy: described('string', 'Orphan, Background or Foreground.'),
  },
}

/** `autoscaling/v1 Scale`, for kinds that have the subresource. */
export const scaleComponent: JsonObject = {
  [metaNames.scale]: {
    type: 'object',
    description: 'Scale represents a scaling request for a resource.',
    properties: {
      ...typeFields,
      metadata: { default: {}, allOf: [reference(metaNames.objectMeta)] },
      spec: {
        type: 'object',
        properties: { replicas: { type: 'integer', format: 'int32', description: 'Desired number of instances.' } },
      },
      status: {
        type: 'object',
        required: ['replicas'],
        properties: {
          replicas: { type: 'integer', format: 'int32', description: 'Actual number of instances.' },
          selector: described('string', 'The selector of the instances, as text.'),
        },
      },
    },
    'x-kubernetes-group-version-kind': [{ group: 'autoscaling', kind: 'Scale', version: 'v1' }],
  },
}
