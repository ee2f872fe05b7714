import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { revision, StoreError } from '../store/store.ts'
import { openWorkerSqliteStore } from './worker-log.ts'

const directory = mkdtempSync(join(tmpdir(), 'orrery-worker-'))
after(() => rmSync(directory, { recursive: true }))

/** Writes with sixteen writers and prints each key once it is acknowledged. */
const writer = (path: string, salt: number) => `
  const { openWorkerSqliteStore } = await import(${JSON.stringify(new URL('./worker-log.ts', import.meta.url).href)})
  const store = await openWorkerSqliteStore({ path: ${JSON.stringify(path)}, newId: 'kill' })
  const write = async (id) => {
    for (let i = 0; ; i++) {
      const key = '/${salt}/' + id + '/' + i
      const outcome = await store.write({ key, expected: 0, value: Buffer.alloc(500, key) })
      process.stdout.write(key + ' ' + outcome.revision + '\\n')
    }
  }
  for (let id = 0; id < 16; id++) write(id)`

test('what a killed process had acknowledged is there, whole, at its revision', async () => {
  const path = join(directory, 'kill.db')
  const acknowledged = new Map<string, number>()
  for (const [salt, count] of [50, 400, 1500].entries()) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer(path, salt)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = new Promise((resolve) => child.once('close', resolve))
    let seen = 0
    for await (const line of createInterface({ input: child.stdout })) {
      const [key = '', at = ''] = line.split(' ')
      if (at !== '') acknowledged.set(key, Number(at))
      if (++seen === count) child.kill('SIGKILL')
    }
    await exited
  }
  await using store = await openWorkerSqliteStore({ path, newId: randomUUID() })
  assert.equal(store.id, 'kill')
  assert.ok(acknowledged.size >= 1950)
  const { items } = await store.list({ prefix: '' })
  const stored = new Map(items.map((item) => [item.key, item]))
  for (const [key, at] of acknowledged) {
    const item = stored.get(key)
    // The line of the very last write may have been cut in the middle of its number.
    assert.ok(item !== undefined && String(item.modRevision).startsWith(String(at)), `${key} at ${at}`)
    assert.ok(Buffer.from(item.value).equals(Buffer.alloc(500, key)))
  }
})

test('a store whose thread cannot open the file says why', async () => {
  const path = join(directory, 'no', 'such', 'directory.db')
  await assert.rejects(openWorkerSqliteStore({ path, newId: 'a' }), StoreError)
})

test('a closed worker store leaves no thread behind and can be opened again at once', async () => {
  const path = join(directory, 'again.db')
  for (let i = 0; i < 3; i++) {
    await using store = await openWorkerSqliteStore({ path, newId: 'a' })
    const outcome = await store.write({ key: `/${i}`, expected: revision(0), value: new Uint8Array(1) })
    assert.equal(outcome.state, 'written')
  }
})
