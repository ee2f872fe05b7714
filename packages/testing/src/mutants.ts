import type { Random } from '@orrery/api'
import type { Client } from '@orrery/client'
import {
  type Disk,
  type ListRequest,
  type Revision,
  revision,
  type Store,
  type StoredValue,
  type StoreEvent,
  type WatchCache,
  type WatchFrame,
  type WatchRequest,
} from '@orrery/hub/store'
import type { ProviderDefinition } from '@orrery/provider'
import {
  withErrorsAsAbsence,
  withFreshTokens,
  withLateFinalizer,
  withoutIntent,
  withoutLicence,
  withoutWaiting,
} from './engine-mutants.ts'

/**
 * Known bugs, planted on purpose by decorating a port. The simulator must find each within 20 seeds;
 * if it does not, the simulator has rotted.
 */
export interface Mutant {
  readonly name: string
  /** The world in which it must be found. */
  readonly world: 'store' | 'managed'
  readonly disk?: (disk: Disk) => Disk
  /** Once per process; what the bug remembers over crashes lives in `memory`. */
  readonly store?: (store: Store, memory: MutantMemory) => Promise<Store>
  readonly cache?: (cache: WatchCache) => WatchCache
  /** The API as a manager sees it. */
  readonly client?: (client: Client) => Client
  readonly provider?: (provider: ProviderDefinition, random: Random) => ProviderDefinition
}

/** Lives as long as the simulated world. `isCrash`: whether the last process ended without a shutdown. */
export interface MutantMemory {
  counter: number
  readonly shifts: { readonly boundary: number; readonly lost: number }[]
  compactedAt: number
  isCrash: boolean
}

/** What a mutant remembers at the beginning of a world. */
export function newMutantMemory(): MutantMemory {
  return { counter: 0, shifts: [], compactedAt: 0, isCrash: false }
}

/** Every mutant, by name. One line each. */
export const mutants: readonly Mutant[] = [
  { name: 'acknowledge-before-sync', world: 'store', disk: withoutSync },
  { name: 'revision-beside-transaction', world: 'store', store: withRevisionBeside },
  { name: 'watch-resumes-at-revision', world: 'store', store: async (store) => withEarlyResume(store) },
  {
    name: 'compaction-drops-delete',
    world: 'store',
    store: async (store, memory) => withDroppedDeletes(store, memory),
  },
  { name: 'bookmark-ahead', world: 'store', cache: withEarlyBookmarks },
  { name: 'create-without-intent', world: 'managed', client: withoutIntent },
  { name: 'token-per-attempt', world: 'managed', provider: withFreshTokens },
  { name: 'no-waiting-after-create', world: 'managed', provider: withoutWaiting },
  { name: 'error-is-absence', world: 'managed', provider: withErrorsAsAbsence },
  { name: 'finalizer-after-create', world: 'managed', client: withLateFinalizer },
  { name: 'no-licence-check', world: 'managed', provider: withoutLicence },
]

function withoutSync(disk: Disk): Disk {
  return { ...disk, sync: async () => undefined }
}

/** The verbs of a store as a plain object, so that a decorator replaces some. */
function verbsOf(store: Store): Store {
  return {
    id: store.id,
    revision: () => store.revision(),
    compactedRevision: () => store.compactedRevision(),
    get: (key) => store.get(key),
    list: (request) => store.list(request),
    write: (request) => store.write(request),
    watch: (request) => store.watch(request),
    compact: (to) => store.compact(to),
    size: () => store.size(),
    [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose](),
  }
}

function withEarlyResume(store: Store): Store {
  const early = (request: WatchRequest) => ({ ...request, after: revision(Math.max(0, request.after - 1)) })
  return { ...verbsOf(store), watch: (request) => store.watch(early(request)) }
}

function withDroppedDeletes(store: Store, memory: MutantMemory): Store {
  const keeps = (event: StoreEvent) => event.type === 'put' || event.revision > memory.compactedAt
  return {
    ...verbsOf(store),
    compact: async (to) => {
      await store.compact(to)
      memory.compactedAt = await store.revision()
    },
    async *watch(request) {
      for await (const batch of store.watch(request)) yield batch.filter(keeps)
    },
  }
}

function withEarlyBookmarks(cache: WatchCache): WatchCache {
  return {
    get revision() {
      return cache.revision
    },
    waitFor: (wanted, timeoutMs) => cache.waitFor(wanted, timeoutMs),
    get: (key) => cache.get(key),
    list: (request) => cache.list(request),
    write: (request) => cache.write(request),
    observe: (prefix, listener) => cache.observe(prefix, listener),
    reindex: (prefix) => cache.reindex(prefix),
    [Symbol.asyncDispose]: async () => cache[Symbol.asyncDispose](),
    async *watch(request) {
      for await (const batch of cache.watch(request)) {
        const last = batch.at(-1)
        const ahead: WatchFrame[] = last === undefined ? [] : [{ type: 'BOOKMARK', revision: last.revision }]
        yield [...(request.bookmarks ? ahead : []), ...batch]
      }
    },
  }
}

/**
 * The revision counter is written after the transaction, in one of its own: a crash between them brings
 * back an older counter, and revisions are given out twice.
 */
async function withRevisionBeside(store: Store, memory: MutantMemory): Promise<Store> {
  const newest = await store.revision()
  const total = () => memory.shifts.reduce((sum, shift) => sum + shift.lost, 0)
  if (memory.isCrash && newest - total() > memory.counter) {
    memory.shifts.push({ boundary: newest, lost: newest - total() - memory.counter })
  }
  const outward = (inner: Revision): Revision =>
    revision(inner - memory.shifts.reduce((sum, { boundary, lost }) => sum + (inner >= boundary ? lost : 0), 0))
  const inward = (outer: Revision): Revision => revision(outer === 0 ? 0 : outer + total())
  const value = (stored: StoredValue): StoredValue => ({
    ...stored,
    modRevision: outward(stored.modRevision),
    createRevision: outward(stored.createRevision),
  })
  const event = (inner: StoreEvent): StoreEvent => ({ ...inner, revision: outward(inner.revision) })
  return {
    ...verbsOf(store),
    revision: async () => outward(await store.revision()),
    get: async (key) => {
      const found = await store.get(key)
      return found === undefined ? undefined : value(found)
    },
    list: async (request: ListRequest) => {
      const inner = request.at === undefined ? request : { ...request, at: inward(request.at) }
      const result = await store.list(inner)
      return { ...result, items: result.items.map(value), revision: outward(result.revision) }
    },
    write: async (request) => {
      const known = await store.get(request.key)
      const matches = known !== undefined && outward(known.modRevision) === request.expected
      const outcome = await store.write(matches ? { ...request, expected: known.modRevision } : request)
      if (outcome.state === 'conflict') {
        return outcome.current === undefined ? outcome : { ...outcome, current: value(outcome.current) }
      }
      // The second transaction runs a while later; a crash before it finds the older counter.
      memory.counter = outward(outcome.revision) - 1
      return { ...outcome, revision: outward(outcome.revision) }
    },
    async *watch(request) {
      for await (const batch of store.watch({ ...request, after: inward(request.after) })) yield batch.map(event)
    },
  }
}
