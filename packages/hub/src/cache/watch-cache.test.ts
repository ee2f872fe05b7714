import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLabelSelector } from '@orrery/api'
import { SeededRandom, VirtualClock } from '@orrery/testing'
import { openMemoryStore } from '../store/memory-store.ts'
import { type Revision, revision, type Store, StoreError } from '../store/store.ts'
import type { CacheWatchRequest, IndexRecord, WatchCache, WatchCacheLimits, WatchFrame } from './cache.ts'
import { createWatchCache } from './watch-cache.ts'
import { watchLine } from './watch-line.ts'

const random = new SeededRandom(5)
const PODS = '/core/pods/'

function indexOf(key: string, stored: Uint8Array): IndexRecord {
  const [, , , namespace = '', name = ''] = key.split('/')
  const parsed: { metadata?: { labels?: Record<string, string> }; field?: string } = JSON.parse(
    Buffer.from(stored).toString(),
  )
  const fields = parsed.field === undefined ? undefined : { field: parsed.field }
  return { namespace, name, uid: name, labels: parsed.metadata?.labels, fields }
}

interface World extends AsyncDisposable {
  readonly store: Store
  readonly cache: WatchCache
  readonly clock: VirtualClock
}

async function openWorld(
  limits: Partial<WatchCacheLimits> = {},
  before?: (store: Store) => Promise<void>,
): Promise<World> {
  const store = await openMemoryStore({ random })
  await before?.(store)
  const clock = new VirtualClock()
  const cache = await createWatchCache(store, { indexOf, clock, random, limits })
  return {
    store,
    cache,
    clock,
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

const body = (labels: Record<string, string> = {}, field?: string) =>
  Buffer.from(JSON.stringify({ kind: 'Pod', metadata: { labels }, field }))

async function put(
  target: Pick<Store, 'write'>,
  key: string,
  value = body(),
  expected: Revision = revision(0),
): Promise<Revision> {
  const outcome = await target.write({ key, expected, value })
  assert.ok(outcome.state === 'written')
  return outcome.revision
}

/** Pulls frames until `enough`. */
async function collect(
  cache: WatchCache,
  request: Partial<CacheWatchRequest> & Pick<CacheWatchRequest, 'start'>,
  enough: (frames: readonly WatchFrame[]) => boolean,
): Promise<readonly WatchFrame[]> {
  const stop = new AbortController()
  const frames: WatchFrame[] = []
  for await (const batch of cache.watch({
    prefix: PODS,
    match: {},
    bookmarks: false,
    ...request,
    signal: stop.signal,
  })) {
    frames.push(...batch)
    if (enough(frames)) break
  }
  stop.abort()
  return frames
}

const shown = (frames: readonly WatchFrame[]) =>
  frames.map((frame) =>
    frame.type === 'BOOKMARK'
      ? `BOOKMARK ${frame.revision}`
      : `${frame.type} ${frame.object.index.name} ${frame.revision}`,
  )
const hasKind = (kind: StoreError['kind']) => (error: unknown) => error instanceof StoreError && error.kind === kind

test('whoever wrote sees the own write in the next read, with its revision in the bytes', async () => {
  await using world = await openWorld()
  const at = await put(world.cache, `${PODS}ns/a`)
  const found = world.cache.get(`${PODS}ns/a`)
  assert.equal(found?.revision, at)
  const served: { metadata: { resourceVersion: string } } = JSON.parse(Buffer.from(found.bytes).toString())
  assert.equal(served.metadata.resourceVersion, String(at))
  assert.deepEqual(Buffer.from(found.stored), body())
  assert.equal((await world.cache.list({ prefix: PODS, match: {} })).items[0], found)
})

test('a selection sees objects enter as ADDED and leave as DELETED with the last matching state and the new revision', async () => {
  await using world = await openWorld()
  const { cache } = world
  const key = `${PODS}ns/a`
  const first = await put(cache, key, body({ app: 'other' }))
  const second = await put(cache, key, body({ app: 'mine' }), first)
  const third = await put(cache, key, body({ app: 'mine', v: '2' }), second)
  const fourth = await put(cache, key, body({ app: 'other' }), third)
  await cache.write({ key, expected: fourth })
  const match = { labels: parseLabelSelector('app=mine') }
  const frames = await collect(cache, { match, start: { after: revision(0) } }, (seen) => seen.length === 3)
  assert.deepEqual(shown(frames), ['ADDED a 2', 'MODIFIED a 3', 'DELETED a 4'])
  const last = frames[2]
  assert.ok(last !== undefined && last.type === 'DELETED')
  const line: { object: { metadata: { resourceVersion: string; labels: object } } } = JSON.parse(
    Buffer.from(watchLine(last)).toString(),
  )
  assert.deepEqual(line.object.metadata, { resourceVersion: '4', labels: { app: 'mine', v: '2' } })
})

for (const { name, match, want } of [
  { name: 'everything', match: {}, want: ['a', 'b', 'a', 'c'] },
  { name: 'a namespace', match: { namespace: 'one' }, want: ['a', 'b'] },
  { name: 'a name', match: { name: 'a' }, want: ['a', 'a'] },
  { name: 'one object', match: { namespace: 'two', name: 'a' }, want: ['a'] },
  { name: 'a label', match: { labels: parseLabelSelector('app=x') }, want: ['a', 'c'] },
  { name: 'a field', match: { fields: [{ path: 'field', operator: '=' as const, value: 'f' }] }, want: ['b'] },
  {
    name: 'a field that differs',
    match: { fields: [{ path: 'metadata.name', operator: '!=' as const, value: 'a' }] },
    want: ['b', 'c'],
  },
]) {
  test(`a list and a watch of ${name} see the same objects`, async () => {
    await using world = await openWorld()
    const live = collect(world.cache, { match, start: { after: revision(0) } }, (seen) => seen.length === want.length)
    await put(world.cache, `${PODS}one/a`, body({ app: 'x' }))
    await put(world.cache, `${PODS}one/b`, body({}, 'f'))
    await put(world.cache, `${PODS}two/a`)
    await put(world.cache, `${PODS}two/c`, body({ app: 'x' }))
    await put(world.cache, '/core/podsmore/one/a')
    const names = (frames: readonly WatchFrame[]) =>
      frames.map((frame) => (frame.type === 'BOOKMARK' ? '' : frame.object.index.name))
    assert.deepEqual(
      (await world.cache.list({ prefix: PODS, match })).items.map((item) => item.index.name),
      want,
    )
    assert.deepEqual(names(await live), want)
    assert.deepEqual(
      names(await collect(world.cache, { match, start: { initial: true } }, (seen) => seen.length === want.length)),
      want,
    )
  })
}

test('watchers with equal selections get the same frames, encoded once', async () => {
  await using world = await openWorld()
  const watch = () =>
    collect(world.cache, { match: { namespace: 'ns' }, start: { after: revision(0) } }, (seen) => seen.length === 1)
  const both = Promise.all([watch(), watch()])
  await put(world.cache, `${PODS}ns/a`)
  const [[first], [second]] = await both
  assert.ok(first !== undefined && first.type !== 'BOOKMARK')
  assert.equal(first, second)
  assert.equal(watchLine(first), watchLine(first))
})

test('pages are one snapshot, count what remains, and are gone once their revision is compacted', async () => {
  await using world = await openWorld()
  const { cache, store } = world
  for (let i = 0; i < 10; i++) await put(cache, `${PODS}ns/${i}`)
  const first = await cache.list({ prefix: PODS, match: {}, limit: 4 })
  assert.equal(first.remaining, 6)
  await cache.write({ key: `${PODS}ns/7`, expected: revision(8) })
  await put(cache, `${PODS}ns/55`)
  const after = first.next ?? ''
  const rest = await cache.list({ prefix: PODS, match: {}, at: first.revision, after })
  assert.deepEqual(
    rest.items.map((item) => item.index.name),
    ['4', '5', '6', '7', '8', '9'],
  )
  const older = await cache.list({ prefix: PODS, match: {}, at: revision(5) }) // Read from the store.
  assert.equal(older.items.length, 5)
  await store.compact(await store.revision())
  await assert.rejects(cache.list({ prefix: PODS, match: {}, at: first.revision, after }), hasKind('compacted'))
})

test('initial events come before live ones, with the mark between them', async () => {
  await using world = await openWorld()
  for (const name of ['a', 'b']) await put(world.cache, `${PODS}ns/${name}`)
  const frames = collect(world.cache, { start: { initial: true }, bookmarks: true }, (seen) => seen.length === 4)
  await put(world.cache, `${PODS}ns/c`)
  assert.deepEqual(shown(await frames), ['ADDED a 1', 'ADDED b 2', 'BOOKMARK 2', 'ADDED c 3'])
})

test('a watch older than the window is compacted, one from the future waits', async () => {
  await using world = await openWorld({ windowEvents: 3 })
  for (let i = 0; i < 6; i++) await put(world.cache, `${PODS}ns/${i}`)
  await assert.rejects(
    collect(world.cache, { start: { after: revision(2) } }, () => true),
    hasKind('compacted'),
  )
  assert.equal((await collect(world.cache, { start: { after: revision(3) } }, (seen) => seen.length === 3)).length, 3)
  const future = collect(world.cache, { start: { after: revision(7) } }, () => true)
  await put(world.cache, `${PODS}ns/a`)
  await put(world.cache, `${PODS}ns/b`)
  assert.deepEqual(shown(await future), ['ADDED b 8'])
})

test('a slow watcher is ended, never the others', async () => {
  await using world = await openWorld({ watcherFrames: 5 })
  const request = {
    prefix: PODS,
    match: {},
    start: { after: revision(0) },
    bookmarks: false,
    signal: new AbortController().signal,
  }
  const slow = world.cache.watch(request)[Symbol.asyncIterator]()
  const quick = collect(world.cache, { start: { after: revision(0) } }, (seen) => seen.length === 20)
  for (let i = 0; i < 20; i++) await put(world.cache, `${PODS}ns/${i}`)
  assert.equal((await quick).length, 20)
  await assert.rejects(slow.next(), hasKind('slow-watcher'))
})

test('an idle watch gets a bookmark at least every minute, and one before its known end', async () => {
  await using world = await openWorld()
  await put(world.cache, '/core/secrets/ns/a')
  const marks: number[] = []
  const stop = new AbortController()
  const watching = (async () => {
    const request = {
      prefix: PODS,
      match: {},
      start: { after: revision(0) },
      bookmarks: true,
      endsInMs: 20_000,
      signal: stop.signal,
    }
    for await (const batch of world.cache.watch(request)) marks.push(...batch.map((frame) => frame.revision))
  })()
  await world.clock.advance(19_000)
  assert.deepEqual(marks, [1])
  await world.clock.advance(42_000)
  assert.deepEqual(marks, [1, 1])
  stop.abort()
  await watching
})

test('a new cache replays recent history, so that watches resume over a restart', async () => {
  await using world = await openWorld({ replayRevisions: 3 }, async (store) => {
    for (let i = 0; i < 6; i++) await put(store, `${PODS}ns/${i}`)
  })
  assert.equal(world.cache.revision, 6)
  assert.deepEqual(shown(await collect(world.cache, { start: { after: revision(4) } }, (seen) => seen.length === 2)), [
    'ADDED 4 5',
    'ADDED 5 6',
  ])
  await assert.rejects(
    collect(world.cache, { start: { after: revision(2) } }, () => true),
    hasKind('compacted'),
  )
})

test('observers are told of each change at once, until disposed', async () => {
  await using world = await openWorld()
  const seen: string[] = []
  const observer = world.cache.observe(PODS, (frames) => seen.push(...shown(frames)))
  const at = await put(world.cache, `${PODS}ns/a`)
  await put(world.cache, '/core/secrets/ns/a')
  await world.cache.write({ key: `${PODS}ns/a`, expected: at })
  observer[Symbol.dispose]()
  await put(world.cache, `${PODS}ns/b`)
  assert.deepEqual(seen, ['ADDED a 1', 'DELETED a 3'])
})

test('waiting for a revision ends when it is visible, or as future after its time', async () => {
  await using world = await openWorld()
  const waiting = world.cache.waitFor(revision(1), 1000)
  await put(world.store, `${PODS}ns/a`)
  await waiting
  const never = assert.rejects(world.cache.waitFor(revision(9), 1000), hasKind('future'))
  await world.clock.advance(1001)
  await never
})

test('a closed cache ends its watches and answers nothing', async () => {
  const world = await openWorld()
  const ended = assert.rejects(
    collect(world.cache, { start: { after: revision(0) } }, () => true),
    hasKind('closed'),
  )
  await world[Symbol.asyncDispose]()
  await ended
  await assert.rejects(world.cache.list({ prefix: PODS, match: {} }), hasKind('closed'))
})
