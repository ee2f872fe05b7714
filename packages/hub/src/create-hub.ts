import type { ResourceDefinition } from './builtin/builtin.ts'
import type { WatchCache } from './cache/cache.ts'
import { createWatchCache } from './cache/watch-cache.ts'
import { compactRegularly } from './compaction.ts'
import { type CustomDefinition, CustomResources, crdPrefix } from './crd/custom-resources.ts'
import { CrdKeeper } from './crd/keeper.ts'
import { createCrdStrategy } from './crd/strategy.ts'
import { type OpenApiBuilder, OpenApiDocuments } from './discovery/openapi-documents.ts'
import { createHandler } from './http/handler.ts'
import type { HealthCheck } from './http/health.ts'
import { Inflight, inflightLimits } from './http/inflight.ts'
import { RequestMetrics } from './http/metrics.ts'
import type { Hub, HubOptions } from './hub.ts'
import { hubKinds } from './kinds.ts'
import { bootstrap } from './registry/bootstrap.ts'
import { type Catalogue, createCatalogue } from './registry/catalogue.ts'
import type { HubCore, Strategy } from './registry/core.ts'
import type { ProtobufDecoder } from './registry/decode.ts'
import { createIndexer } from './registry/indexer.ts'
import { namespaceStrategy } from './registry/namespaces.ts'
import { ParsedObjects } from './registry/parsed-objects.ts'
import { resourcePrefix } from './registry/served-resource.ts'

/** The kinds a hub serves, and how they are read and described. */
export interface Kinds {
  readonly builtins: readonly ResourceDefinition[]
  readonly defineCustom: CustomDefinition
  readonly decodeProtobuf: ProtobufDecoder
  readonly buildOpenApi: OpenApiBuilder
}

/** As kube-apiserver: how long a consistent read waits until the cache has caught up with the store. */
const catchUpMs = 3000

/** Starts a hub over an open store, which stays the caller's. Resolves when it is ready to serve. */
export function createHub(options: HubOptions): Promise<Hub> {
  return createHubOf(hubKinds, options)
}

/** A hub that serves the given kinds. */
export async function createHubOf(kinds: Kinds, options: HubOptions): Promise<Hub> {
  const { store, clock, random, log } = options
  const closing = new AbortController()
  const listeners = new Set<() => void>()
  let catalogue: Catalogue = createCatalogue(kinds.builtins, [])
  const customResources = new CustomResources({
    define: kinds.defineCustom,
    log,
    onChange: () => {
      catalogue = createCatalogue(kinds.builtins, customResources.served())
      keeper?.wake()
      for (const listener of listeners) listener()
    },
    onFields: (prefix) => cache.reindex(prefix),
  })
  const indexOf = createIndexer(kinds.builtins, customResources)
  const cache = await createWatchCache(store, { indexOf, clock, random })
  const strategies = new Map<string, Strategy>([
    [resourcePrefix('', 'namespaces'), namespaceStrategy],
    [crdPrefix, createCrdStrategy(customResources, kinds.builtins, clock)],
  ])
  const core: HubCore = {
    cache,
    clock,
    random,
    log,
    parsed: new ParsedObjects(),
    decodeProtobuf: kinds.decodeProtobuf,
    strategies,
    closing: closing.signal,
    catalogue: () => catalogue,
    onCatalogueChange: (listener) => {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    settleReads: options.sharedStore === true ? () => catchUp(options, cache) : () => Promise.resolve(),
  }
  let keeper: CrdKeeper | undefined
  const observer = cache.observe(crdPrefix, (frames) => customResources.apply(frames))
  customResources.load((await cache.list({ prefix: crdPrefix, match: {} })).items)
  await bootstrap(core)
  keeper = new CrdKeeper(core, customResources, kinds.builtins)
  keeper.wake()
  const compaction = compactRegularly(options)
  const handle = createHandler({
    core,
    authenticator: options.authenticator,
    authorizer: options.authorizer,
    openApi: new OpenApiDocuments(kinds.buildOpenApi),
    checks: healthChecks(cache, closing.signal),
    ...counters(options, cache),
  })
  return {
    id: store.id,
    handle,
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      await compaction[Symbol.asyncDispose]()
      await keeper?.[Symbol.asyncDispose]()
      observer[Symbol.dispose]()
      await cache[Symbol.asyncDispose]()
    },
  }
}

async function catchUp({ store }: HubOptions, cache: WatchCache): Promise<void> {
  await cache.waitFor(await store.revision(), catchUpMs)
}

function counters({ metrics: registry, inflight, store }: HubOptions, cache: WatchCache) {
  const metrics = new RequestMetrics(registry, {
    storeSizeBytes: () => store.size(),
    revision: () => cache.revision,
  })
  return {
    metrics,
    inflight: new Inflight(inflight ?? inflightLimits, (kind, current) => metrics.inflight(kind, current)),
  }
}

/** The names that operators of kube-apiserver look for. */
function healthChecks(cache: WatchCache, closing: AbortSignal): readonly HealthCheck[] {
  const storeWorks = () => {
    try {
      // Throws when the cache no longer follows the store.
      cache.get(`${crdPrefix}/-`)
      return true
    } catch {
      // The check reports it; the cause is in the log of whoever saw it first.
      return false
    }
  }
  return [
    { name: 'ping', readinessOnly: false, isWell: () => true },
    { name: 'log', readinessOnly: false, isWell: () => true },
    { name: 'etcd', readinessOnly: false, isWell: storeWorks },
    { name: 'informer-sync', readinessOnly: true, isWell: storeWorks },
    { name: 'shutdown', readinessOnly: true, isWell: () => !closing.aborted },
  ]
}
