import type { Json, JsonObject } from '@orrery/api'
import type { OpenApiKind } from './open-api-kind.ts'
import { metaNames, operationGroup, reference, schemaName, tagOf } from './schema-names.ts'

/** One operation of a path, as Kubernetes describes it. */

const query = (name: string, description: string, type = 'string'): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
})

const dryRun = query(
  'dryRun',
  'When present, indicates that modifications should not be persisted. The only valid value is All.',
)
const fieldManager = query(
  'fieldManager',
  'The name of the actor that is making these changes: at most 128 printable characters. Required for apply requests.',
)
// kubectl looks for this parameter before it leaves validation to the server.
const fieldValidation = query(
  'fieldValidation',
  'How the server handles unknown and duplicate fields: Ignore drops them, Warn drops them with a warning and is the default, Strict refuses the request.',
)
const force = query('force', 'Whether an apply request takes over fields that other managers own.', 'boolean')

const listQuery: readonly JsonObject[] = [
  query('allowWatchBookmarks', 'Whether the watch may contain BOOKMARK events.', 'boolean'),
  query('continue', 'The token of an earlier, limited list with which it goes on.'),
  query('fieldSelector', 'A selector of fields. Defaults to everything.'),
  query('labelSelector', 'A selector of labels. Defaults to everything.'),
  query('limit', 'The maximum number of items to return.', 'integer'),
  query('resourceVersion', 'A constraint on the versions that a request may be served from.'),
  query('resourceVersionMatch', 'How resourceVersion is applied: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'Whether a watch starts with the state of the collection.', 'boolean'),
  query('timeoutSeconds', 'The duration of the call.', 'integer'),
  query('watch', 'Watch for changes instead of answering with a list.', 'boolean'),
]
const deleteQuery: readonly JsonObject[] = [
  dryRun,
  query('gracePeriodSeconds', 'Seconds before the object should be deleted.', 'integer'),
  query('orphanDependents', 'Deprecated: use propagationPolicy.', 'boolean'),
  query('propagationPolicy', 'Orphan, Background or Foreground.'),
]

export const pathParameters = {
  name: (kind: string): JsonObject => ({
    name: 'name',
    in: 'path',
    description: `name of the ${kind}`,
    required: true,
    schema: { type: 'string', uniqueItems: true },
  }),
  namespace: {
    name: 'namespace',
    in: 'path',
    description: 'object name and auth scope, such as for teams and projects',
    required: true,
    schema: { type: 'string', uniqueItems: true },
  } satisfies JsonObject,
  pretty: query('pretty', "If 'true', then the output is pretty printed."),
}

const mediaTypes = (custom: boolean): readonly string[] =>
  custom
    ? ['application/json', 'application/yaml']
    : ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml']
/** Built-in kinds are described as taking anything; what they decode is a matter of the request. */
const bodyTypes = (custom: boolean): readonly string[] => (custom ? mediaTypes(true) : ['*/*'])
const patchTypes = (custom: boolean): readonly string[] => [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  ...(custom ? [] : ['application/strategic-merge-patch+json']),
]

type Action = 'get' | 'list' | 'post' | 'put' | 'patch' | 'delete' | 'deletecollection'

const verbs: Readonly<
  Record<Action, { readonly id: string; readonly text: string; readonly codes: readonly number[] }>
> = {
  get: { id: 'read', text: 'read the specified', codes: [200] },
  list: { id: 'list', text: 'list or watch objects of kind', codes: [200] },
  post: { id: 'create', text: 'create a', codes: [200, 201, 202] },
  put: { id: 'replace', text: 'replace the specified', codes: [200, 201] },
  patch: { id: 'patch', text: 'partially update the specified', codes: [200, 201] },
  delete: { id: 'delete', text: 'delete a', codes: [200, 202] },
  deletecollection: { id: 'delete', text: 'delete collection of', codes: [200] },
}
const codeNames: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' }

export interface OperationPlace {
  /** The path names a namespace. */
  readonly inNamespace: boolean
  readonly subresource?: 'status' | 'scale' | 'finalize'
}

/** Describes an action on a kind, with its parameters, bodies and answers. */
export function operation(kind: OpenApiKind, action: Action, place: OperationPlace): JsonObject {
  const { info } = kind
  const custom = kind.custom === true
  const isScale = place.subresource === 'scale'
  const name = isScale ? metaNames.scale : schemaName(info, custom)
  const { id, text, codes } = verbs[action]
  const of = place.subresource === undefined ? '' : `${place.subresource} of `
  const gvk = isScale
    ? { group: 'autoscaling', version: 'v1', kind: 'Scale' }
    : { group: info.group, version: info.version, kind: info.kind }
  return {
    tags: [tagOf(info)],
    description: `${text} ${of}${info.kind}`,
    operationId: operationId(kind, id, action, place),
    parameters: [...parametersOf(action)],
    ...bodyOf(action, name, custom),
    responses: { ...responses(codes, answerOf(action, name), custom), 401: { description: 'Unauthorized' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
  }
}

function operationId(kind: OpenApiKind, verb: string, action: Action, place: OperationPlace): string {
  const { info } = kind
  const scope = place.inNamespace ? 'Namespaced' : ''
  const everywhere = action === 'list' && info.namespaced && !place.inNamespace ? 'ForAllNamespaces' : ''
  const collection = action === 'deletecollection' ? 'Collection' : ''
  const { subresource = '' } = place
  const suffix = subresource.charAt(0).toUpperCase() + subresource.slice(1)
  return `${verb}${operationGroup(info)}${collection}${scope}${info.kind}${suffix}${everywhere}`
}

function parametersOf(action: Action): readonly JsonObject[] {
  if (action === 'list') return listQuery
  if (action === 'delete') return deleteQuery
  if (action === 'deletecollection') return [...listQuery, ...deleteQuery]
  if (action === 'patch') return [dryRun, fieldManager, fieldValidation, force]
  return action === 'get' ? [] : [dryRun, fieldManager, fieldValidation]
}

const contentOf = (types: readonly string[], name: string): JsonObject =>
  Object.fromEntries(types.map((type) => [type, { schema: reference(name) }]))

function bodyOf(action: Action, name: string, custom: boolean): JsonObject {
  if (action === 'patch')
    return { requestBody: { content: contentOf(patchTypes(custom), metaNames.patch), required: true } }
  if (action === 'post' || action === 'put') {
    return { requestBody: { content: contentOf(bodyTypes(custom), name), required: true } }
  }
  if (action === 'delete' || action === 'deletecollection') {
    return { requestBody: { content: contentOf(bodyTypes(custom), metaNames.deleteOptions) } }
  }
  return {}
}

function answerOf(action: Action, name: string): string {
  if (action === 'list') return `${name}List`
  return action === 'delete' || action === 'deletecollection' ? metaNames.status : name
}

function responses(codes: readonly number[], name: string, custom: boolean): Readonly<Record<string, Json>> {
  const content = contentOf(mediaTypes(custom), name)
  return Object.fromEntries(codes.map((code) => [String(code), { description: codeNames[code] ?? '', content }]))
}
