import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom, VirtualClock } from '@orrery/testing'
import { openMemoryStore } from '../store/memory-store.ts'
import { type Revision, revision, type Store, StoreError } from '../store/store.ts'
import { createWatchCache } from './watch-cache.ts'

const random = new SeededRandom(9)
const PODS = '/core/pods/'
const value = Buffer.from('{"metadata":{}}')

/** The store, whose watches begin only when the gate opens: the follower then lags behind compaction. */
function delayed(store: Store, gate: Promise<void>): Store {
  return {
    id: store.id,
    revision: () => store.revision(),
    compactedRevision: () => store.compactedRevision(),
    get: (key) => store.get(key),
    list: (request) => store.list(request),
    write: (request) => store.write(request),
    compact: (to) => store.compact(to),
    size: () => store.size(),
    [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose](),
    async *watch(request) {
      await gate
      yield* store.watch(request)
    },
  }
}

async function put(store: Store, key: string, expected: Revision = revision(0)): Promise<Revision> {
  const outcome = await store.write({ key, expected, value })
  assert.ok(outcome.state === 'written')
  return outcome.revision
}

test('a cache that compaction overtook reloads: observers learn the difference, watches must list again', async () => {
  await using store = await openMemoryStore({ random })
  const kept = await put(store, `${PODS}ns/kept`)
  const changed = await put(store, `${PODS}ns/changed`)
  const removed = await put(store, `${PODS}ns/removed`)
  const gate = Promise.withResolvers<void>()
  await using cache = await createWatchCache(delayed(store, gate.promise), {
    clock: new VirtualClock(),
    random,
    limits: { replayRevisions: 0 },
    indexOf: (key) => ({
      namespace: 'ns',
      name: key.slice(key.lastIndexOf('/') + 1),
      uid: '',
      labels: undefined,
      fields: undefined,
    }),
  })
  const seen: string[] = []
  cache.observe('', (frames) => {
    for (const frame of frames) if (frame.type !== 'BOOKMARK') seen.push(`${frame.type} ${frame.object.index.name}`)
  })
  const request = {
    prefix: PODS,
    match: {},
    start: { after: removed },
    bookmarks: false,
    signal: new AbortController().signal,
  }
  const watch = cache.watch(request)[Symbol.asyncIterator]()
  const ended = assert.rejects(watch.next(), (error) => error instanceof StoreError && error.kind === 'compacted')
  await put(store, `${PODS}ns/changed`, changed)
  await store.write({ key: `${PODS}ns/removed`, expected: removed })
  await put(store, `${PODS}ns/added`)
  await store.compact(await store.revision())
  gate.resolve()
  await ended
  await cache.waitFor(await store.revision(), 1000)
  assert.deepEqual(seen.toSorted(), ['ADDED added', 'DELETED removed', 'MODIFIED changed'])
  const { items } = await cache.list({ prefix: PODS, match: {} })
  assert.deepEqual(
    items.map((item) => item.index.name),
    ['added', 'changed', 'kept'],
  )
  assert.equal(items[2]?.revision, kept)
  const after = await put(store, `${PODS}ns/live`)
  await cache.waitFor(after, 1000)
  assert.ok(cache.get(`${PODS}ns/live`) !== undefined)
})

test('an unreadable value is named by get and list of its resource, hides no other resource, and goes away when deleted', async () => {
  await using store = await openMemoryStore({ random })
  await put(store, `${PODS}ns/good`)
  await put(store, '/core/secrets/ns/bad')
  const damaged: Store = {
    ...delayed(store, Promise.resolve()),
    list: async (request) => {
      const result = await store.list(request)
      const damage = (item: (typeof result.items)[number]) =>
        item.key.endsWith('/bad') ? { ...item, value: new Uint8Array(0), unreadable: 'its checksum is wrong' } : item
      return { ...result, items: result.items.map(damage) }
    },
  }
  await using cache = await createWatchCache(damaged, {
    clock: new VirtualClock(),
    random,
    limits: { replayRevisions: 0 },
    indexOf: (_key, stored) => {
      assert.ok(stored.byteLength > 0)
      return { namespace: 'ns', name: 'x', uid: '', labels: undefined, fields: undefined }
    },
  })
  const namesKey = (error: unknown) =>
    error instanceof StoreError && error.kind === 'corrupt' && error.key === '/core/secrets/ns/bad'
  assert.throws(() => cache.get('/core/secrets/ns/bad'), namesKey)
  await assert.rejects(cache.list({ prefix: '/core/secrets/', match: {} }), namesKey)
  assert.equal((await cache.list({ prefix: PODS, match: {} })).items.length, 1)
  assert.equal((await cache.write({ key: '/core/secrets/ns/bad', expected: revision(2) })).state, 'written')
  assert.deepEqual((await cache.list({ prefix: '/core/secrets/', match: {} })).items, [])
})
