import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import { SeededRandom } from '@orrery/testing'
import { openSqliteStore } from './sqlite-store.ts'
import { revision, type Store, StoreError } from './store.ts'

suite('a damaged store file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'orrery-damage-'))
  const whole = join(directory, 'whole.db')
  const damaged = join(directory, 'damaged.db')
  const open = (path: string) => openSqliteStore({ path, newId: randomUUID() })
  const expected = new Map<string, string>()

  before(async () => {
    await using store = open(whole)
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 40; index++) {
        const key = `/things/ns/${index}`
        if (round === 2 && index % 5 === 0) continue
        const value = `${round}:${index}:${'x'.repeat(index * 40)}`
        const current = (await store.get(key))?.modRevision ?? revision(0)
        await store.write({ key, expected: current, value: Buffer.from(value) })
        expected.set(key, value)
      }
    }
    const gone = await store.get('/things/ns/3')
    await store.write({ key: '/things/ns/3', expected: gone?.modRevision ?? revision(0) })
    expected.delete('/things/ns/3')
  })
  after(() => rmSync(directory, { recursive: true, force: true }))

  function damage(change: (bytes: Buffer) => void): void {
    for (const suffix of ['-wal', '-shm']) rmSync(`${damaged}${suffix}`, { force: true })
    copyFileSync(whole, damaged)
    const bytes = readFileSync(damaged)
    change(bytes)
    writeFileSync(damaged, bytes)
  }

  /** What a hub would make of the file: refused as a whole, or each object as it was or named as unreadable. */
  async function outcome(): Promise<'refused' | 'unreadable' | 'whole'> {
    let store: Store
    try {
      store = open(damaged)
    } catch (error) {
      if (error instanceof StoreError) return 'refused'
      throw error
    }
    await using _open = store
    try {
      const { items } = await store.list({ prefix: '/' })
      const unreadable = items.filter((item) => item.unreadable !== undefined)
      for (const item of items) {
        if (item.unreadable === undefined) assert.equal(Buffer.from(item.value).toString(), expected.get(item.key))
      }
      assert.equal(items.length, expected.size)
      return unreadable.length > 0 ? 'unreadable' : 'whole'
    } catch (error) {
      if (error instanceof StoreError) return 'refused'
      throw error
    }
  }

  test('never gives wrong data, whichever byte flips', async () => {
    const random = new SeededRandom(7)
    const size = readFileSync(whole).length
    const seen = new Set<string>()
    for (let run = 0; run < 400; run++) {
      const at = Math.floor(random.next() * size)
      const bit = 1 << Math.floor(random.next() * 8)
      damage((bytes) => {
        bytes[at] = (bytes[at] ?? 0) ^ bit
      })
      seen.add(await outcome())
    }
    assert.ok(seen.has('refused') && seen.has('unreadable') && seen.has('whole'), [...seen].join())
  })

  test('is refused when it was cut short', async () => {
    damage((bytes) => bytes.fill(0, Math.floor(bytes.length / 2)))
    assert.notEqual(await outcome(), 'whole')
  })

  for (const { name, sql } of [
    { name: 'names an old version', sql: `UPDATE current SET revision = 1 WHERE key = '/things/ns/0'` },
    { name: 'names another object', sql: `UPDATE current SET revision = 2 WHERE key = '/things/ns/0'` },
    { name: 'is lost', sql: `DELETE FROM current WHERE key = '/things/ns/7'` },
    { name: 'names what was deleted', sql: `INSERT INTO current VALUES ('/things/ns/3', 4)` },
  ])
    test(`is refused when a pointer ${name}`, async () => {
      damage(() => undefined)
      const database = new DatabaseSync(damaged)
      database.exec(sql)
      database.close()
      assert.equal(await outcome(), 'refused')
    })
})
