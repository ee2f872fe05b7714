import type { AccessAttributes } from '../auth/auth.ts'
import { badRequest } from './errors.ts'
import { booleanParameter, parameter, parseQuery, type Query } from './query.ts'

/** The address of a resource request, decoded. Absent parts are empty. */
export interface ResourceTarget {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly namespace: string
  readonly name: string
  readonly subresource: string
}

/** What the request line says, before anything of the body is read. */
export interface RequestInfo {
  readonly method: string
  /** Decoded, without the query. */
  readonly path: string
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; the lower-case method for paths. */
  readonly verb: string
  readonly query: Query
  /** Absent for paths that are no resources. */
  readonly resource?: ResourceTarget
}

/** Longer than any address of a named object with selectors. */
const maxTargetLength = 32_768

/**
 * Splits the URL by the fixed grammar of the Kubernetes API. Throws 400 for what could be read in two
 * ways: encoded slashes, backslashes, NUL, dot segments and broken escapes.
 */
export function parseRequestInfo(method: string, target: string): RequestInfo {
  if (target.length > maxTargetLength) throw badRequest(`the URL is longer than ${maxTargetLength} characters`)
  const mark = target.indexOf('?')
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const query = parseQuery(mark < 0 ? '' : target.slice(mark + 1))
  const path = decodePath(rawPath)
  const segments = path.split('/')
  segments.shift()
  if (segments.length > 1 && segments.at(-1) === '') segments.pop()
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    throw badRequest('the path must not contain "." or ".." as a segment')
  }
  const resource = segments.includes('') ? undefined : resourceOf(method, segments)
  if (resource === undefined) return { method, path, verb: method.toLowerCase(), query }
  return resourceRequest({ method, path, query }, resource)
}

function decodePath(rawPath: string): string {
  if (!rawPath.startsWith('/')) throw badRequest('the path must start with "/"')
  if (/\\|%2f|%5c|%00|\0/i.test(rawPath))
    throw badRequest('the path must not contain an encoded slash, a backslash or NUL')
  if (!rawPath.includes('%')) return rawPath
  try {
    return decodeURIComponent(rawPath)
  } catch (error) {
    throw badRequest('the path holds a broken escape', error)
  }
}

interface PathResource extends ResourceTarget {
  /** The deprecated `/watch/` prefix was used. */
  readonly watchPrefix: boolean
}

function resourceOf(method: string, segments: readonly string[]): PathResource | undefined {
  const core = segments[0] === 'api'
  if (!core && segments[0] !== 'apis') return undefined
  const group = core ? '' : (segments[1] ?? '')
  const version = segments[core ? 1 : 2] ?? ''
  let rest = segments.slice(core ? 2 : 3)
  const watchPrefix = rest[0] === 'watch' && rest.length > 1 && method === 'GET'
  if (watchPrefix) rest = rest.slice(1)
  const [first, second] = rest
  if (first === undefined) return undefined
  const base = { group, version, watchPrefix }
  if (first !== 'namespaces' || second === undefined) return { ...base, namespace: '', ...collectionOf(rest) }
  // `namespaces/x`, `namespaces/x/status` and `namespaces/x/finalize` address the namespace itself.
  if (rest.length === 2 || (rest.length === 3 && (rest[2] === 'status' || rest[2] === 'finalize'))) {
    return { ...base, namespace: group === '' ? second : '', ...collectionOf(rest) }
  }
  return { ...base, namespace: second, ...collectionOf(rest.slice(2)) }
}

const collectionOf = (rest: readonly string[]) => ({
  resource: rest[0] ?? '',
  name: rest[1] ?? '',
  subresource: rest.slice(2).join('/'),
})

function resourceRequest(
  request: Pick<RequestInfo, 'method' | 'path' | 'query'>,
  { watchPrefix, ...target }: PathResource,
): RequestInfo {
  const named = target.name !== '' && !watchPrefix
  const verb = watchPrefix ? 'watch' : verbOf(request.method, named, request.query)
  // A list or watch of one name is authorized as that name, so that rules with resourceNames work.
  const selected = named || target.name !== '' ? undefined : nameSelected(request.query)
  const collection = verb === 'list' || verb === 'watch' || verb === 'deletecollection'
  return {
    ...request,
    verb,
    resource: collection && selected !== undefined ? { ...target, name: selected } : target,
  }
}

function verbOf(method: string, named: boolean, query: Query): string {
  if (method === 'POST') return 'create'
  if (method === 'PUT') return 'update'
  if (method === 'PATCH') return 'patch'
  if (method === 'DELETE') return named ? 'delete' : 'deletecollection'
  if (method !== 'GET') return method.toLowerCase()
  if (named) return 'get'
  return booleanParameter(query, 'watch') ? 'watch' : 'list'
}

function nameSelected(query: Query): string | undefined {
  const selector = parameter(query, 'fieldSelector')
  if (selector === undefined) return undefined
  return /(?:^|,)metadata\.name==?([^,\\!=]+)(?:,|$)/.exec(selector)?.[1]
}

/** Exactly what is authorized: the parsed request, never the raw text. */
export function attributesOf(info: RequestInfo): AccessAttributes {
  if (info.resource === undefined) return { type: 'path', verb: info.verb, path: info.path }
  return { type: 'resource', verb: info.verb, ...info.resource }
}
