import type { HttpHeaders, HttpRequest } from '@orrery/api'
import { type Answer, isPretty, valueAnswer } from '../http/answer.ts'
import { headerText } from '../http/body.ts'
import { methodNotAllowed, unknownPath } from '../http/errors.ts'
import { acceptedForms, choosePlainForm, notAcceptable } from '../http/negotiate.ts'
import { parameter } from '../http/query.ts'
import type { RequestInfo } from '../http/request-info.ts'
import type { Catalogue } from '../registry/catalogue.ts'
import { aggregatedContentType, aggregatedDiscovery, type TaggedDocument, wantsAggregated } from './aggregated.ts'
import { coreVersions, groupList, oneGroup, resourceList } from './legacy.ts'
import type { OpenApiDocuments } from './openapi-documents.ts'

/** Compatible with this Kubernetes; build metadata, not a pre-release, so that `>= 1.35.0` holds for charts. */
const gitVersion = 'v1.35.4+orrery.0'

const version = {
  major: '1',
  minor: '35',
  emulationMajor: '1',
  emulationMinor: '35',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '34',
  gitVersion,
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: '',
}

const oneYearSeconds = 365 * 24 * 60 * 60
const cacheable = { 'cache-control': 'public' }

export interface DiscoveryInput {
  readonly catalogue: Catalogue
  readonly openApi: OpenApiDocuments
  readonly request: HttpRequest
  readonly info: RequestInfo
}

/** Aggregated documents by catalogue: rebuilt when a CRD changes, not for each client. */
const aggregated = new WeakMap<Catalogue, Map<string, TaggedDocument>>()

/** Answers the paths by which clients find their way; undefined when the path is none of them. Throws 404, 405, 406. */
export function answerDiscovery(input: DiscoveryInput): Answer | undefined {
  const { path } = input.info
  const [first, ...rest] = path.split('/').filter((part) => part !== '')
  if (first === 'api' || first === 'apis') return readOnly(input, () => answerApi(input, first, rest))
  if (first === 'openapi') return readOnly(input, () => answerOpenApi(input, rest))
  if (path === '/version' || path === '/version/') {
    return readOnly(input, () => valueAnswer(200, version, { ...plain(input), format: 'json' }, true))
  }
  if (path === '/') {
    const paths = ['/api', '/apis', '/healthz', '/livez', '/metrics', '/openapi/v3', '/readyz', '/version']
    return readOnly(input, () => answerJson(input, { paths }))
  }
  return undefined
}

function readOnly({ info }: DiscoveryInput, answer: () => Answer): Answer {
  if (info.method === 'GET' || info.method === 'HEAD') return answer()
  throw methodNotAllowed({ group: '', plural: '' }, info.verb, false)
}

const acceptOf = ({ request }: DiscoveryInput) => headerText(request.headers, 'accept')
const plain = (input: DiscoveryInput) => choosePlainForm(acceptOf(input))

function answerJson(input: DiscoveryInput, value: unknown, headers: HttpHeaders = {}): Answer {
  const form = plain(input)
  const answer = valueAnswer(200, value, form, isPretty(form, input.info.query, input.request.headers))
  return { ...answer, headers: { ...answer.headers, ...headers } }
}

function answerApi(input: DiscoveryInput, root: 'api' | 'apis', rest: readonly string[]): Answer {
  const { catalogue } = input
  const isCore = root === 'api'
  if (rest.length === 0) {
    if (wantsAggregated(acceptOf(input))) return answerAggregated(input, isCore ? 'core' : 'named')
    if (acceptOf(input).includes('as=APIGroupDiscoveryList') && acceptedForms(acceptOf(input)).length === 0) {
      throw notAcceptable(acceptOf(input))
    }
    const host = headerText(input.request.headers, 'host') || headerText(input.request.headers, ':authority')
    return answerJson(input, isCore ? coreVersions(host) : groupList(catalogue))
  }
  const body =
    !isCore && rest.length === 1
      ? oneGroup(catalogue, rest[0] ?? '')
      : rest.length === (isCore ? 1 : 2)
        ? resourceList(catalogue, isCore ? '' : (rest[0] ?? ''), rest.at(-1) ?? '')
        : undefined
  if (body === undefined) throw unknownPath()
  return answerJson(input, body)
}

function answerAggregated(input: DiscoveryInput, which: 'core' | 'named'): Answer {
  const documents = aggregated.get(input.catalogue) ?? new Map<string, TaggedDocument>()
  aggregated.set(input.catalogue, documents)
  const document = documents.get(which) ?? aggregatedDiscovery(input.catalogue, which)
  documents.set(which, document)
  const headers = { ...cacheable, vary: 'Accept', etag: document.etag, 'content-type': aggregatedContentType }
  if (headerText(input.request.headers, 'if-none-match') === document.etag) return { status: 304, headers }
  return { status: 200, headers, body: document.bytes }
}

function answerOpenApi(input: DiscoveryInput, rest: readonly string[]): Answer {
  const { openApi, catalogue, info, request } = input
  if (rest[0] !== 'v3') throw unknownPath()
  if (rest.length === 1) return answerJson(input, openApi.index(catalogue))
  const path = rest.slice(1).join('/')
  const document = openApi.find(catalogue, path)
  if (document === undefined) throw unknownPath()
  if (acceptedForms(acceptOf(input))[0] === undefined) throw notAcceptable(acceptOf(input), ['application/json'])
  const hash = parameter(info.query, 'hash')
  if (hash !== undefined && hash !== document.hash) {
    return { status: 301, headers: { location: `/openapi/v3/${path}?hash=${document.hash}` } }
  }
  const etag = `"${document.hash}"`
  const headers: HttpHeaders = {
    'content-type': 'application/json',
    vary: 'Accept',
    etag,
    ...(hash === undefined ? {} : { 'cache-control': `public, immutable, max-age=${oneYearSeconds}` }),
  }
  if (headerText(request.headers, 'if-none-match') === etag) return { status: 304, headers }
  return { status: 200, headers, body: document.bytes }
}
