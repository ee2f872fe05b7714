import { ApiError, type JsonObject } from '@orrery/api'
import type { CacheWatchRequest, WatchFrame } from '../cache/cache.ts'
import { watchLine } from '../cache/watch-line.ts'
import { expired, internal } from '../http/errors.ts'
import type { AnswerForm } from '../http/negotiate.ts'
import { revision, StoreError } from '../store/store.ts'
import { findResource } from './catalogue.ts'
import type { HubCore, RegistryRequest } from './core.ts'
import { objectAt } from './json-access.ts'
import type { ListOptions } from './list-options.ts'
import { parseStored } from './parsed-objects.ts'
import { waitFor } from './read.ts'
import type { ServedResource } from './served-resource.ts'
import { isDirect, servedBytes } from './stored-form.ts'
import { type IncludeObject, jsonBytes, partialObject, tableBookmark, tableOf } from './table.ts'

/** As kube-apiserver: without a timeout of its own a watch ends between these, so that clients spread over replicas. */
const minWatchSeconds = 1800
/** How often a running watch is authorized again, so that a revoked right ends it. */
const reauthorizeMs = 60_000
/** How long a watch of a resource that is served no more may still send its last events. */
const goneMs = 1000

export interface WatchInput {
  readonly options: ListOptions
  readonly form: AnswerForm
  readonly include: IncludeObject
}

/** The body of a watch: one JSON line an event. Errors after the start are ERROR events, as clients expect. */
export async function* watchObjects(
  core: HubCore,
  request: RegistryRequest,
  input: WatchInput,
): AsyncGenerator<Uint8Array> {
  const abort = new AbortController()
  const stop = () => abort.abort()
  const timeoutSeconds = input.options.timeoutSeconds ?? Math.floor(minWatchSeconds * (1 + core.random.next()))
  const sources = [request.http.signal, core.closing]
  for (const source of sources) {
    if (source.aborted) stop()
    source.addEventListener('abort', stop, { once: true })
  }
  const timers = [
    core.clock.schedule(timeoutSeconds * 1000, stop),
    watchRights(core, request, stop),
    watchDefinition(core, request, stop),
  ]
  try {
    const encode = encoderOf(core, request.resource, input)
    const start = await startOf(core, input.options)
    const watch: CacheWatchRequest = {
      prefix: request.resource.prefix,
      match: input.options.match,
      start,
      bookmarks: input.options.allowWatchBookmarks,
      endsInMs: timeoutSeconds * 1000,
      signal: abort.signal,
    }
    for await (const batch of core.cache.watch(watch)) {
      const bytes = encode(batch)
      if (bytes.length > 0) yield bytes
    }
  } catch (error) {
    // Nobody is left to tell when the client went away or the hub ends.
    if (sources.every((source) => !source.aborted)) yield errorLine(core, error)
  } finally {
    for (const timer of timers) timer[Symbol.dispose]()
    for (const source of sources) source.removeEventListener('abort', stop)
    stop()
  }
}

/** Asks for the right again and again; stops the watch when it is gone or cannot be established. */
function watchRights(core: HubCore, request: RegistryRequest, stop: () => void): Disposable {
  let timer: Disposable
  const check = async () => {
    if (await request.isStillAllowed()) schedule()
    else stop()
  }
  const schedule = () => {
    timer = core.clock.schedule(reauthorizeMs, () => {
      check().catch(stop)
    })
  }
  timer = core.clock.schedule(0, () => undefined)
  timer[Symbol.dispose]()
  schedule()
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

/** Stops the watch soon after its resource has gone. */
function watchDefinition(core: HubCore, request: RegistryRequest, stop: () => void): Disposable {
  let timer: Disposable | undefined
  const changes = core.onCatalogueChange(() => {
    if (findResource(core.catalogue(), request.target) === undefined) timer ??= core.clock.schedule(goneMs, stop)
  })
  return {
    [Symbol.dispose]: () => {
      changes[Symbol.dispose]()
      timer?.[Symbol.dispose]()
    },
  }
}

async function startOf(core: HubCore, options: ListOptions): Promise<CacheWatchRequest['start']> {
  const { resourceVersion, sendInitialEvents } = options
  if (sendInitialEvents === true) {
    if (resourceVersion === undefined) await core.settleReads()
    else await waitFor(core, resourceVersion)
    return { initial: true }
  }
  if (resourceVersion !== undefined && resourceVersion > 0) {
    await reach(core, resourceVersion)
    return { after: revision(resourceVersion) }
  }
  if (resourceVersion === undefined) await core.settleReads()
  return sendInitialEvents === false ? { after: revision(core.cache.revision) } : { initial: true }
}

/** A version that does not come (a restored backup) would leave the client waiting for ever: it must list again. */
async function reach(core: HubCore, wanted: number): Promise<void> {
  try {
    await waitFor(core, wanted)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    throw expired(`too new resource version: ${wanted} (${core.cache.revision}); list again`)
  }
}

type Encoder = (batch: readonly WatchFrame[]) => Uint8Array

/** Batches are shared by all watchers of a selection; so are their bytes. */
const joined = new WeakMap<readonly WatchFrame[], Uint8Array>()

function encoderOf(core: HubCore, resource: ServedResource, input: WatchInput): Encoder {
  const { form, options } = input
  const marksEnd = options.sendInitialEvents === true
  if (form.as === 'object') {
    const line = (frame: WatchFrame) => objectLine(resource, frame, marksEnd)
    const shareable = (batch: readonly WatchFrame[]) =>
      batch.every((frame) => frame.type !== 'BOOKMARK' && isDirect(resource, frame.object))
    return (batch) => {
      const first = batch[0]
      if (batch.length === 1 && first !== undefined) return line(first)
      const known = joined.get(batch)
      if (known !== undefined) return known
      const bytes = Buffer.concat(batch.map(line))
      if (shareable(batch)) joined.set(batch, bytes)
      return bytes
    }
  }
  let isFirst = true
  return (batch) =>
    Buffer.concat(
      batch.map((frame) => {
        const object = transformed({ core, resource, input, frame, marksEnd, withColumns: isFirst })
        if (frame.type !== 'BOOKMARK') isFirst = false
        return jsonBytesLine(frame.type, object)
      }),
    )
}

function objectLine(resource: ServedResource, frame: WatchFrame, marksEnd: boolean): Uint8Array {
  if (frame.type === 'BOOKMARK') {
    return jsonBytesLine('BOOKMARK', {
      kind: resource.definition.info.kind,
      apiVersion: resource.apiVersion,
      metadata: bookmarkMetadata(frame, marksEnd),
    })
  }
  if (isDirect(resource, frame.object)) return watchLine(frame)
  const head = Buffer.from(`{"type":"${frame.type}","object":`)
  return Buffer.concat([head, servedBytes(resource, frame.object), Buffer.from('}\n')])
}

function bookmarkMetadata(frame: Extract<WatchFrame, { type: 'BOOKMARK' }>, marksEnd: boolean): JsonObject {
  const isEnd = marksEnd && frame.initialEventsEnd === true
  return {
    resourceVersion: String(frame.revision),
    ...(isEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
  }
}

interface TransformInput {
  readonly core: HubCore
  readonly resource: ServedResource
  readonly input: WatchInput
  readonly frame: WatchFrame
  readonly marksEnd: boolean
  readonly withColumns: boolean
}

function transformed({ core, resource, input, frame, marksEnd, withColumns }: TransformInput): JsonObject {
  const { form, include } = input
  const { version } = form
  if (frame.type === 'BOOKMARK') {
    const metadata = bookmarkMetadata(frame, marksEnd)
    if (form.as === 'Table') return tableBookmark(resource, version, metadata)
    return partialObject({ metadata }, version)
  }
  const object = parseStored(servedBytes(resource, frame.object))
  if (form.as !== 'Table') return partialObject(object, version)
  const listMeta = { resourceVersion: objectAt(object, 'metadata')['resourceVersion'] ?? '' }
  const nowMs = core.clock.now()
  return tableOf({ resource, objects: [object], listMeta, include, version, nowMs, withColumns })
}

function jsonBytesLine(type: string, object: JsonObject): Uint8Array {
  return Buffer.concat([jsonBytes({ type, object }), Buffer.from('\n')])
}

function errorLine(core: HubCore, error: unknown): Uint8Array {
  return jsonBytesLine('ERROR', JSON.parse(JSON.stringify(watchError(core, error).toStatus())))
}

function watchError(core: HubCore, error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof StoreError && error.kind === 'compacted') {
    return expired('The resourceVersion for the provided watch is too old.')
  }
  if (error instanceof StoreError && error.kind === 'slow-watcher') {
    return expired('the watcher fell too far behind and was ended; list again')
  }
  core.log.error({ error }, 'a watch failed')
  return internal('the watch failed; start it again', error)
}
