import type { Clock, HttpHandler, Kind, KubeObject, Random } from '@orrery/api'
import { ApiError, formatLabelSelector, isExpired, isNotFound, keyOf, resourcePath } from '@orrery/api'
import type {
  Client,
  DeleteOptions,
  List,
  ListOptions,
  Patch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './client.ts'
import type { Call, Requester } from './requester.ts'
import { createRequester, translate } from './requester.ts'
import { decodeEvent, splitLines, untilAborted } from './watch-stream.ts'
import { decodeJson, decodeList, decodeObject, decodeReview, decodeText, encodeJson } from './wire.ts'

/** Objects a page of `listAll`: what kubectl and client-go ask for. */
export const PAGE_SIZE = 500
/** Snapshots that expire this often under one list are not worth another try. */
export const MAX_LIST_RESTARTS = 3

export interface ClientOptions {
  readonly transport: HttpHandler
  readonly clock: Clock
  readonly random: Random
  /** `name/version (what for)`. Kubernetes takes the part before `/` as the field manager of plain writes. */
  readonly userAgent: string
  /** Longest wait for an answer to one request, or for the start of a watch. Default 60 s. */
  readonly timeoutMs?: number
}

/** The one implementation of {@link Client}. */
export function createClient(options: ClientOptions): Client {
  const requester = createRequester(options)
  const object = async <T extends KubeObject>(kind: Kind<T>, call: Call, metadataOnly = false): Promise<T> =>
    decodeObject(kind, decodeJson(decodeText((await requester.call(call)).bytes)), metadataOnly)
  const write = async <T extends KubeObject>(
    method: 'POST' | 'PUT',
    kind: Kind<T>,
    body: T,
    at: At,
    how: WriteOptions = {},
  ): Promise<T> => {
    const target = targetOf(kind, at, writeQuery(how))
    const { bytes } = await requester.call({ method, target, body: encodeJson(body), signal: how.signal })
    const answer = decodeJson(decodeText(bytes))
    return isNameless(body) ? decodeReview(kind, answer) : decodeObject(kind, answer)
  }

  const client: Client = {
    get: (kind, key, how = {}) => {
      const target = targetOf(kind, key, [['resourceVersion', how.resourceVersion]])
      const accept = acceptOf(how.metadataOnly, 'PartialObjectMetadata')
      return object(kind, { method: 'GET', target, accept, signal: how.signal }, how.metadataOnly)
    },
    async find(kind, key, how) {
      try {
        return await client.get(kind, key, how)
      } catch (error) {
        // Only a Status that names this object proves its absence; a plain 404 may mean that the kind is gone.
        if (isNotFound(error) && error instanceof ApiError && error.details?.name === key.name) return undefined
        throw error
      }
    },
    list: (kind, how = {}) => list(requester, kind, how),
    listAll: (kind, how = {}) => listAll(requester, kind, how),
    watch: (kind, how = {}) => watch(requester, kind, how),
    create: (kind, body, how) => {
      const { namespace } = body.metadata
      return write('POST', kind, body, namespace === undefined ? {} : { namespace }, how)
    },
    update: (kind, body, how) => {
      const at = how?.subresource === undefined ? keyOf(body) : { ...keyOf(body), subresource: how.subresource }
      return write('PUT', kind, body, at, how)
    },
    updateStatus: (kind, body, how) => write('PUT', kind, body, { ...keyOf(body), subresource: 'status' }, how),
    patch: (kind, key, patch, how = {}) => {
      const at = how.subresource === undefined ? key : { ...key, subresource: how.subresource }
      const target = targetOf(kind, at, writeQuery(how))
      const contentType = PATCH_TYPES[patch.type]
      return object(kind, { method: 'PATCH', target, contentType, body: encodeJson(patch.body), signal: how.signal })
    },
    apply: (kind, body, how) => {
      const at = how.subresource === undefined ? keyOf(body) : { ...keyOf(body), subresource: how.subresource }
      const target = targetOf(kind, at, [...writeQuery(how), ['force', how.force === true ? 'true' : undefined]])
      const contentType = 'application/apply-patch+yaml' // JSON is YAML.
      return object(kind, { method: 'PATCH', target, contentType, body: encodeJson(body), signal: how.signal })
    },
    async delete(kind, key, how = {}) {
      const target = targetOf(kind, key, [])
      await requester.call({ method: 'DELETE', target, body: encodeJson(deleteBody(how)), signal: how.signal })
    },
    async deleteCollection(kind, how) {
      const at = how.namespace === undefined ? {} : { namespace: how.namespace }
      const target = targetOf(kind, at, selectorQuery(how))
      await requester.call({ method: 'DELETE', target, body: encodeJson(deleteBody(how)), signal: how.signal })
    },
    async raw(path, how = {}) {
      const accept = how.accept ?? 'application/json, */*'
      const { bytes, contentType } = await requester.call({ method: 'GET', target: path, accept, signal: how.signal })
      const text = decodeText(bytes)
      return contentType.startsWith('application/json') ? decodeJson(text) : text
    },
  }
  return client
}

const PATCH_TYPES: Readonly<Record<Patch['type'], string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}

async function list<T extends KubeObject>(requester: Requester, kind: Kind<T>, how: ListOptions): Promise<List<T>> {
  const target = targetOf(kind, how.namespace === undefined ? {} : { namespace: how.namespace }, [
    ...selectorQuery(how),
    ['limit', how.limit?.toString()],
    ['continue', how.continue],
    ['resourceVersion', how.resourceVersion],
  ])
  const accept = acceptOf(how.metadataOnly, 'PartialObjectMetadataList')
  const { bytes } = await requester.call({ method: 'GET', target, accept, signal: how.signal })
  return decodeList(kind, decodeJson(decodeText(bytes)), how.metadataOnly)
}

async function listAll<T extends KubeObject>(
  requester: Requester,
  kind: Kind<T>,
  how: Omit<ListOptions, 'limit' | 'continue'>,
): Promise<List<T>> {
  for (let restarts = 0; ; restarts++) {
    try {
      return await listPages(requester, kind, how)
    } catch (error) {
      // The server offers a token to go on with, but of a later state: pages of two snapshots are no list.
      if (!isExpired(error) || restarts >= MAX_LIST_RESTARTS) throw error
    }
  }
}

async function listPages<T extends KubeObject>(
  requester: Requester,
  kind: Kind<T>,
  how: Omit<ListOptions, 'limit' | 'continue'>,
): Promise<List<T>> {
  const { resourceVersion: _first, ...rest } = how // Later pages are of the first one's snapshot.
  let page = await list(requester, kind, { ...how, limit: PAGE_SIZE })
  if (isLast(page)) return page
  const items = [...page.items]
  while (!isLast(page)) {
    page = await list(requester, kind, { ...rest, limit: PAGE_SIZE, continue: page.metadata.continue ?? '' })
    for (const item of page.items) items.push(item)
  }
  return { metadata: page.metadata, items }
}

const isLast = (page: List<unknown>) => page.metadata.continue === undefined || page.metadata.continue === ''

async function* watch<T extends KubeObject>(
  requester: Requester,
  kind: Kind<T>,
  how: WatchOptions,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const initial = how.sendInitialEvents === true
  const target = targetOf(kind, how.namespace === undefined ? {} : { namespace: how.namespace }, [
    ['watch', 'true'],
    ['allowWatchBookmarks', 'true'],
    ...selectorQuery(how),
    ['resourceVersion', how.after],
    ['sendInitialEvents', initial ? 'true' : undefined],
    ['resourceVersionMatch', initial ? 'NotOlderThan' : undefined],
    ['timeoutSeconds', how.timeoutSeconds?.toString()],
  ])
  const call: Call = {
    method: 'GET',
    target,
    accept: acceptOf(how.metadataOnly, 'PartialObjectMetadata'),
    signal: how.signal,
  }
  try {
    using response = await requester.open(call)
    how.onOpen?.()
    for await (const line of splitLines(untilAborted(response.body, response.signal))) {
      yield decodeEvent(kind, line, how.metadataOnly)
    }
  } catch (error) {
    if (how.signal?.aborted === true) return
    throw translate(error, call)
  }
}

// Reviews are questions: they are asked without a name, and never stored.
const isNameless = ({ metadata }: KubeObject) => metadata.name === '' && metadata.generateName === undefined

interface At {
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
}

type Query = readonly (readonly [name: string, value: string | undefined])[]

function targetOf(kind: Kind, at: At, query: Query): string {
  const present = query.filter(([, value]) => value !== undefined && value !== '')
  const text = present.map(([name, value]) => `${name}=${encodeURIComponent(value ?? '')}`).join('&')
  return text === '' ? resourcePath(kind, at) : `${resourcePath(kind, at)}?${text}`
}

function selectorQuery(how: Pick<ListOptions, 'labels' | 'fields'>): Query {
  return [
    ['labelSelector', how.labels === undefined ? undefined : formatLabelSelector(how.labels)],
    ['fieldSelector', how.fields],
  ]
}

function writeQuery(how: WriteOptions): Query {
  return [
    ['fieldManager', how.fieldManager],
    ['fieldValidation', how.fieldValidation ?? 'Strict'],
    ['dryRun', how.dryRun === true ? 'All' : undefined],
  ]
}

function deleteBody(how: DeleteOptions) {
  const { uid, resourceVersion, propagation, dryRun } = how
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    ...(uid === undefined && resourceVersion === undefined ? {} : { preconditions: { uid, resourceVersion } }),
    ...(propagation === undefined ? {} : { propagationPolicy: propagation }),
    ...(dryRun === true ? { dryRun: ['All'] } : {}),
  }
}

/** A server without the metadata form may send whole objects; they are cut down when decoded. */
function acceptOf(metadataOnly: boolean | undefined, form: string): string {
  return metadataOnly === true ? `application/json;as=${form};g=meta.k8s.io;v=v1,application/json` : 'application/json'
}
