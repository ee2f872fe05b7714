import type { JsonObject, MutableJsonObject } from '@orrery/api'
import { kindComponents, metaComponents, scaleComponent } from './components.ts'
import type { OpenApiKind } from './open-api-kind.ts'
import { operation, pathParameters } from './operations.ts'

/** The version of Kubernetes whose API this is. */
const version = '1.35'

/** The OpenAPI v3 document of one group version. All kinds must be of that one. */
export function openApiV3(kinds: readonly OpenApiKind[]): JsonObject {
  const paths: MutableJsonObject = {}
  const schemas: MutableJsonObject = {}
  const [first] = kinds
  const groupVersion = { group: first?.info.group ?? '', version: first?.info.version ?? 'v1' }
  for (const kind of kinds) {
    Object.assign(paths, kind.custom === undefined ? reviewPaths(kind) : resourcePaths(kind))
    Object.assign(schemas, kindComponents(kind), kind.scale === undefined ? {} : scaleComponent)
  }
  Object.assign(schemas, metaComponents(groupVersion))
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version },
    paths: sorted(paths),
    components: { schemas: sorted(schemas) },
  }
}

const sorted = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))

const rootOf = ({ info }: OpenApiKind): string =>
  info.group === '' ? `/api/${info.version}` : `/apis/${info.group}/${info.version}`

function reviewPaths(kind: OpenApiKind): JsonObject {
  const place = { inNamespace: false }
  return {
    [`${rootOf(kind)}/${kind.info.plural}`]: {
      post: operation(kind, 'post', place),
      parameters: [pathParameters.pretty],
    },
  }
}

function resourcePaths(kind: OpenApiKind): JsonObject {
  const { info } = kind
  const { namespaced: inNamespace } = info
  const place = { inNamespace }
  const collection = `${rootOf(kind)}${inNamespace ? '/namespaces/{namespace}' : ''}/${info.plural}`
  const shared = [...(inNamespace ? [pathParameters.namespace] : []), pathParameters.pretty]
  const one = [pathParameters.name(info.kind), ...shared]
  // Namespaces are the one kind whose collection is never deleted at once.
  const isNamespace = info.group === '' && info.plural === 'namespaces'
  return {
    [collection]: {
      get: operation(kind, 'list', place),
      post: operation(kind, 'post', place),
      ...(isNamespace ? {} : { delete: operation(kind, 'deletecollection', place) }),
      parameters: shared,
    },
    [`${collection}/{name}`]: {
      get: operation(kind, 'get', place),
      put: operation(kind, 'put', place),
      delete: operation(kind, 'delete', place),
      patch: operation(kind, 'patch', place),
      parameters: one,
    },
    ...(inNamespace
      ? {
          [`${rootOf(kind)}/${info.plural}`]: {
            get: operation(kind, 'list', { inNamespace: false }),
            parameters: [pathParameters.pretty],
          },
        }
      : {}),
    ...(kind.status === true ? subresourcePath(kind, collection, 'status', one) : {}),
    ...(kind.scale === undefined ? {} : subresourcePath(kind, collection, 'scale', one)),
    ...(isNamespace
      ? {
          [`${collection}/{name}/finalize`]: {
            put: operation(kind, 'put', { ...place, subresource: 'finalize' }),
            parameters: one,
          },
        }
      : {}),
  }
}

function subresourcePath(
  kind: OpenApiKind,
  collection: string,
  subresource: 'status' | 'scale',
  parameters: readonly JsonObject[],
): JsonObject {
  const place = { inNamespace: kind.info.namespaced, subresource }
  return {
    [`${collection}/{name}/${subresource}`]: {
      get: operation(kind, 'get', place),
      put: operation(kind, 'put', place),
      patch: operation(kind, 'patch', place),
      parameters,
    },
  }
}
