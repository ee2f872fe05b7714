import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Clock, Random } from '@orrery/api'
import { openWorkerSqliteStore } from '@orrery/hub/node'
import {
  createWatchCache,
  openSqliteStore,
  revision,
  type Store,
  type WatchCache,
  type WatchFrame,
  watchLine,
} from '@orrery/hub/store'

/** The store and the watch cache in process: durable writes, lists, watch fan-out, start. Objects of 2 KB. */

const PHASE_MS = 3000
const OBJECTS = 10_000
const WATCHERS = 100
const PREFIX = '/core/configmaps/'

const clock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  schedule: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
const random: Random = { next: Math.random, bytes: (size) => randomBytes(size), uuid: randomUUID }

const object = Buffer.from(
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'name', namespace: 'default', uid: randomUUID(), labels: { app: 'bench' } },
    data: { text: 'x'.repeat(1850) },
  }),
)

function report(name: string, value: number, unit: string): void {
  console.log(JSON.stringify({ name, value: value >= 100 ? Math.round(value) : Number(value.toFixed(2)), unit }))
}

const directory = mkdtempSync(join(tmpdir(), 'orrery-bench-'))
let files = 0
const newPath = () => join(directory, `${files++}.db`)

try {
  await measureWrites('in place', async (path) => openSqliteStore({ path, newId: randomUUID() }))
  await measureWrites('worker', (path) => openWorkerSqliteStore({ path, newId: randomUUID() }))
  await measureCache()
} finally {
  rmSync(directory, { recursive: true })
}

async function measureWrites(name: string, open: (path: string) => Promise<Store>): Promise<void> {
  for (const writers of [1, 64]) {
    await using store = await open(newPath())
    const { rate, p99Ms } = await writeFor({
      writers,
      write: (key) => store.write({ key, expected: revision(0), value: object }),
    })
    report(`durable creates, ${writers} writers, ${name}`, rate, '1/s')
    report(`durable creates, ${writers} writers, ${name}, p99`, p99Ms, 'ms')
  }
}

async function writeFor(load: {
  writers: number
  write: (key: string) => Promise<unknown>
}): Promise<{ rate: number; p99Ms: number }> {
  const startMs = performance.now()
  const latencies: number[] = []
  const writer = async (id: number) => {
    for (let i = 0; performance.now() - startMs < PHASE_MS; i++) {
      const beganMs = performance.now()
      await load.write(`${PREFIX}w${id}/${i}`)
      latencies.push(performance.now() - beganMs)
    }
  }
  await Promise.all(Array.from({ length: load.writers }, (_, id) => writer(id)))
  const seconds = (performance.now() - startMs) / 1000
  latencies.sort((left, right) => left - right)
  return { rate: latencies.length / seconds, p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0 }
}

function openCache(store: Store): Promise<WatchCache> {
  return createWatchCache(store, {
    clock,
    random,
    indexOf: (key) => {
      const [, , , namespace = '', name = ''] = key.split('/')
      return { namespace, name, uid: '', labels: { app: 'bench' }, fields: undefined }
    },
  })
}

async function measureCache(): Promise<void> {
  const path = newPath()
  {
    await using store = await openWorkerSqliteStore({ path, newId: randomUUID() })
    await using cache = await openCache(store)
    for (let i = 0; i < OBJECTS; i += 500) {
      const create = (key: string) => cache.write({ key, expected: revision(0), value: object })
      await Promise.all(Array.from({ length: 500 }, (_, j) => create(`${PREFIX}default/o${i + j}`)))
    }
    await measureLists(cache)
    await measureFanOut(cache)
  }
  const startMs = performance.now()
  await using store = await openWorkerSqliteStore({ path, newId: randomUUID() })
  await using cache = await openCache(store)
  const openMs = performance.now() - startMs
  const { items } = await cache.list({ prefix: PREFIX, match: {} })
  report('objects in the store that is opened', items.length, 'objects')
  report('open store and cache, until all is visible', openMs, 'ms')
}

/** A list as a listener sends it: the bytes of all items in one chunk. */
async function measureLists(cache: WatchCache): Promise<void> {
  const timesMs: number[] = []
  for (let i = 0; i < 20; i++) {
    const startMs = performance.now()
    const { items } = await cache.list({ prefix: PREFIX, match: {} })
    Buffer.concat(items.map((item) => item.bytes))
    timesMs.push(performance.now() - startMs)
  }
  timesMs.sort((left, right) => left - right)
  report(`list ${OBJECTS} objects, spliced, median`, timesMs[10] ?? 0, 'ms')
  const startMs = performance.now()
  for (let i = 0; i < 1000; i++) await cache.list({ prefix: PREFIX, match: {}, limit: 500 })
  report('list a first page of 500', (performance.now() - startMs) / 1000, 'ms')
}

async function measureFanOut(cache: WatchCache): Promise<void> {
  const stop = new AbortController()
  let delivered = 0
  let bytes = 0
  const consume = (frame: WatchFrame) => {
    delivered++
    if (frame.type !== 'BOOKMARK') bytes += watchLine(frame).byteLength
  }
  const watcher = async () => {
    const start = { after: cache.revision }
    for await (const batch of cache.watch({ prefix: PREFIX, match: {}, start, bookmarks: true, signal: stop.signal })) {
      for (const frame of batch) consume(frame)
    }
  }
  const watching = Array.from({ length: WATCHERS }, watcher)
  const { rate } = await writeFor({
    writers: 64,
    write: (key) => cache.write({ key, expected: revision(0), value: object }),
  })
  report(`durable creates through the cache, 64 writers, ${WATCHERS} watchers`, rate, '1/s')
  report(`watch events to ${WATCHERS} watchers`, delivered / (PHASE_MS / 1000), '1/s')
  report(`watch bytes to ${WATCHERS} watchers`, bytes / 2 ** 20 / (PHASE_MS / 1000), 'MiB/s')
  stop.abort()
  await Promise.all(watching)
}
