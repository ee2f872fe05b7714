import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { storeSuite } from '@orrery/testing'
import { openWorkerSqliteStore } from '../node/worker-log.ts'
import { openSqliteStore } from './sqlite-store.ts'
import { revision, type Store, StoreError } from './store.ts'

const directory = mkdtempSync(join(tmpdir(), 'orrery-store-'))
after(() => rmSync(directory, { recursive: true }))

const paths = new WeakMap<Store, string>()
const newPath = () => join(directory, `${randomUUID()}.db`)
const limits = { watcher: { maxItems: 20, maxBytes: 1_000_000 } }

for (const { name, open } of [
  { name: 'the SQLite store', open: async (path: string) => openSqliteStore({ path, newId: randomUUID(), limits }) },
  {
    name: 'the SQLite store in a worker thread',
    open: (path: string) => openWorkerSqliteStore({ path, newId: randomUUID(), limits }),
  },
]) {
  const openAt = async (path: string) => {
    const store = await open(path)
    paths.set(store, path)
    return store
  }
  storeSuite(name, {
    watcherItems: 20,
    open: () => openAt(newPath()),
    reopen: async (store) => {
      await store[Symbol.asyncDispose]()
      return openAt(paths.get(store) ?? '')
    },
  })
}

const hasKind = (kind: StoreError['kind']) => (error: unknown) => error instanceof StoreError && error.kind === kind
const put = (store: Store, key: string, value = 'v') =>
  store.write({ key, expected: revision(0), value: Buffer.from(value) })
const openHere = (path: string, maxSizeBytes?: number) =>
  openSqliteStore({ path, newId: randomUUID(), ...(maxSizeBytes === undefined ? {} : { maxSizeBytes }) })

test('a file that is open belongs to one store alone, also inside one process', async () => {
  const path = newPath()
  await using store = openHere(path)
  await put(store, '/a')
  assert.throws(() => openHere(path), hasKind('locked'))
  await assert.rejects(openWorkerSqliteStore({ path, newId: randomUUID() }), hasKind('locked'))
})

test('a file that another process has open is refused as locked', async () => {
  const path = newPath()
  const script = `
    const { openSqliteStore } = await import(${JSON.stringify(new URL('./sqlite-store.ts', import.meta.url).href)})
    const store = openSqliteStore({ path: ${JSON.stringify(path)}, newId: 'a' })
    process.stdout.write(store.id)
    process.stdin.resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  assert.throws(() => openHere(path), hasKind('locked'))
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
  await using store = openHere(path)
  assert.equal(store.id, 'a')
})

test('a store over its size limit refuses writes, still reads and deletes, and recovers after compaction', async () => {
  const path = newPath()
  await using store = openHere(path, 1024 * 1024)
  const value = 'x'.repeat(50_000)
  let count = 0
  await assert.rejects(async () => {
    for (;;) await put(store, `/${count++}`, value)
  }, hasKind('full'))
  assert.ok((await store.get('/0')) !== undefined)
  for (let i = 0; i < count - 1; i++) {
    const found = await store.get(`/${i}`)
    assert.equal((await store.write({ key: `/${i}`, expected: found?.modRevision ?? revision(0) })).state, 'written')
  }
  await store.compact(await store.revision())
  assert.equal((await put(store, '/again', value)).state, 'written')
})

test('a newer format is refused, a foreign database and a damaged file are corrupt', async () => {
  const newer = newPath()
  await openHere(newer)[Symbol.asyncDispose]()
  const database = new DatabaseSync(newer)
  database.exec('PRAGMA user_version = 99')
  database.close()
  assert.throws(() => openHere(newer), hasKind('newer-format'))
  const foreign = newPath()
  const other = new DatabaseSync(foreign)
  other.exec('CREATE TABLE t(x)')
  other.close()
  assert.throws(() => openHere(foreign), hasKind('corrupt'))
  const damaged = newPath()
  writeFileSync(damaged, 'x'.repeat(50_000))
  assert.throws(() => openHere(damaged), hasKind('corrupt'))
})

test('one damaged value is named, hides no other, and can be deleted', async () => {
  const path = newPath()
  const store = openHere(path)
  await put(store, '/a', 'a'.repeat(100))
  await put(store, '/b', 'b'.repeat(100))
  await put(store, '/c', 'c'.repeat(100))
  await store[Symbol.asyncDispose]()
  const file = readFileSync(path)
  const at = file.indexOf('bbbbbbbbbb')
  file[at + 50] = 0x78
  writeFileSync(path, file)
  await using again = openHere(path)
  await assert.rejects(
    again.get('/b'),
    (error) => hasKind('corrupt')(error) && error instanceof StoreError && error.key === '/b',
  )
  const { items } = await again.list({ prefix: '' })
  assert.deepEqual(
    items.map((item) => item.unreadable === undefined),
    [true, false, true],
  )
  assert.equal((await again.write({ key: '/b', expected: revision(2) })).state, 'written')
  assert.equal(await again.get('/b'), undefined)
})

test('writes of one moment share one commit', async () => {
  const path = newPath()
  await using store = openHere(path)
  const outcomes = await Promise.all(Array.from({ length: 300 }, (_, i) => put(store, `/${i}`)))
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.state === 'written' ? outcome.revision : 0)),
    Array.from({ length: 300 }, (_, i) => i + 1),
  )
})
