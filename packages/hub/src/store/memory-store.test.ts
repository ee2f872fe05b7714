import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom, storeSuite } from '@orrery/testing'
import { type Disk, DiskError } from './disk.ts'
import { openMemoryStore } from './memory-store.ts'
import { revision, type Store, StoreError } from './store.ts'

/** A disk that works, and can be told to fail. */
class PlainDisk implements Disk {
  readonly files = new Map<string, Buffer>()
  capacityBytes = Number.POSITIVE_INFINITY
  failsSync = false
  async read(name: string) {
    return this.files.get(name)
  }
  async append(name: string, bytes: Uint8Array) {
    const used = [...this.files.values()].reduce((sum, file) => sum + file.byteLength, 0)
    if (used + bytes.byteLength > this.capacityBytes) throw new DiskError('full', 'no space')
    this.files.set(name, Buffer.concat([this.files.get(name) ?? Buffer.alloc(0), bytes]))
  }
  async sync() {
    if (this.failsSync) throw new DiskError('io', 'the device failed')
  }
  async truncate(name: string, sizeBytes: number) {
    this.files.set(name, (this.files.get(name) ?? Buffer.alloc(0)).subarray(0, sizeBytes))
  }
  async rename(from: string, to: string) {
    this.files.set(to, this.files.get(from) ?? Buffer.alloc(0))
    this.files.delete(from)
  }
  async remove(name: string) {
    this.files.delete(name)
  }
}

const disks = new WeakMap<Store, PlainDisk>()
const limits = { watcher: { maxItems: 20, maxBytes: 1_000_000 } }

async function openOn(disk: PlainDisk): Promise<Store> {
  const store = await openMemoryStore({ random: new SeededRandom(1), disk, limits })
  disks.set(store, disk)
  return store
}

storeSuite('the memory store', {
  watcherItems: 20,
  open: () => openOn(new PlainDisk()),
  reopen: async (store) => {
    const disk = disks.get(store)
    assert.ok(disk !== undefined)
    await store[Symbol.asyncDispose]()
    return openOn(disk)
  },
})

const put = (store: Store, key: string, value = 'v') =>
  store.write({ key, expected: revision(0), value: Buffer.from(value) })
const hasKind = (kind: StoreError['kind']) => (error: unknown) => error instanceof StoreError && error.kind === kind

test('a full disk refuses writes, still reads and deletes, and recovers alone', async () => {
  const disk = new PlainDisk()
  await using store = await openOn(disk)
  await put(store, '/a')
  disk.capacityBytes = [...disk.files.values()].reduce((sum, file) => sum + file.byteLength, 0)
  await assert.rejects(put(store, '/b'), hasKind('full'))
  assert.ok((await store.get('/a')) !== undefined)
  assert.equal((await store.write({ key: '/a', expected: revision(1) })).state, 'written')
  await assert.rejects(put(store, '/b'), hasKind('full'))
  disk.capacityBytes = Number.POSITIVE_INFINITY
  assert.equal((await put(store, '/b')).state, 'written')
})

test('after a failed sync nothing more is acknowledged', async () => {
  const disk = new PlainDisk()
  await using store = await openOn(disk)
  await put(store, '/a')
  disk.failsSync = true
  await assert.rejects(put(store, '/b'), hasKind('broken'))
  disk.failsSync = false
  await assert.rejects(put(store, '/c'), hasKind('broken'))
  assert.ok((await store.get('/a')) !== undefined)
})

test('a flipped bit anywhere is detected, harms nothing, or costs only the unacknowledged-looking last record', async () => {
  const disk = new PlainDisk()
  const store = await openOn(disk)
  for (let i = 0; i < 5; i++) await put(store, `/${i}`, `value ${i}`)
  await store[Symbol.asyncDispose]()
  const whole = Buffer.from(disk.files.get('log') ?? [])
  for (let at = 0; at < whole.byteLength; at++) {
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
    const copy = new PlainDisk()
    copy.files.set('log', damaged)
    try {
      await using opened = await openOn(copy)
      const { items } = await opened.list({ prefix: '' })
      assert.deepEqual(
        items.map((item) => Buffer.from(item.value).toString()),
        [0, 1, 2, 3, 4].slice(0, items.length).map((i) => `value ${i}`),
      )
      assert.ok(items.length >= 4, `byte ${at} cost ${5 - items.length} records`)
    } catch (error) {
      assert.ok(hasKind('corrupt')(error), String(error))
    }
  }
})

test('a file of a newer format is refused', async () => {
  const disk = new PlainDisk()
  await (await openOn(disk))[Symbol.asyncDispose]()
  const { encodeHeader } = await import('./memory-record.ts')
  const header = encodeHeader({ format: 2, id: 'x', revision: revision(0), compacted: revision(0) })
  disk.files.set('log', Buffer.from(header))
  await assert.rejects(openOn(disk), hasKind('newer-format'))
})
