import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '@orrery/api'
import type { ManagedObject } from '../managed.ts'
import { KindMemory } from './registry.ts'

const key = { namespace: 'n', name: 'a' }
const version = (resourceVersion: string, uid = 'u'): ManagedObject => ({
  apiVersion: 'x/v1',
  kind: 'X',
  metadata: { ...key, uid, resourceVersion },
  spec: { forProvider: {}, managementPolicies: ['*'], driftPolicy: 'Correct' },
})

/** The part of an informer that the memory reads. */
function start() {
  let view: ManagedObject | undefined = version('1')
  const memory = new KindMemory()
  const informer = { get: () => view }
  return {
    memory,
    newest: () => memory.newest(informer, key)?.metadata.resourceVersion,
    /** The informer shows a version and says so. */
    show: (object: ManagedObject | undefined, cause: 'watch' | 'relist' = 'watch'): void => {
      view = object
      memory.saw({ cause, type: object === undefined ? 'deleted' : 'updated', key, ...(object && { current: object }) })
    },
    /** The informer shows a version, without an event: it is as it was before. */
    lag: (object: ManagedObject): void => {
      view = object
    },
  }
}

test('the own last write is the newest version until the informer shows it', async () => {
  const { memory, newest, show } = start()
  await memory.write(key, async () => version('5'))
  assert.equal(newest(), '5')
  show(version('3'))
  assert.equal(newest(), '5')
  show(version('5'))
  show(version('6'))
  assert.equal(newest(), '6')
})

test('an event may be faster than the answer to the write that caused it', async () => {
  const { memory, newest, show } = start()
  await memory.write(key, async () => {
    show(version('5'))
    show(version('6'))
    return version('5')
  })
  assert.equal(newest(), '6')
})

test('a list during a write may have skipped its version', async () => {
  const { memory, newest, show } = start()
  await memory.write(key, async () => {
    show(version('9'), 'relist')
    return version('5')
  })
  assert.equal(newest(), '9')
})

test('a list after a write shows what is newest', async () => {
  const { memory, newest, show } = start()
  await memory.write(key, async () => version('5'))
  show(version('9'), 'relist')
  assert.equal(newest(), '9')
})

test('after a conflict the own last write is no longer believed', async () => {
  const { memory, newest } = start()
  await memory.write(key, async () => version('5'))
  const conflict = new ApiError({ code: 409, reason: 'Conflict', message: 'changed' })
  await assert.rejects(memory.write(key, () => Promise.reject(conflict)))
  assert.equal(newest(), '1')
})

test('after a failure of any other kind it still is', async () => {
  const { memory, newest } = start()
  await memory.write(key, async () => version('5'))
  await assert.rejects(memory.write(key, () => Promise.reject(new Error('connection lost'))))
  assert.equal(newest(), '5')
})

test('a later object of the same name is not mistaken for what was written', async () => {
  const { memory, newest, lag } = start()
  await memory.write(key, async () => version('5', 'old'))
  lag(version('7', 'new'))
  assert.equal(newest(), '7')
})

test('a deletion ends all memory of the object', async () => {
  const { memory, newest, show } = start()
  await memory.write(key, async () => version('5'))
  show(undefined)
  assert.equal(newest(), undefined)
  show(version('1', 'u'))
  assert.equal(newest(), '1')
})

test('quiet polls are counted per object and forgotten with it', () => {
  const { memory } = start()
  memory.setQuiet(key, 3)
  assert.equal(memory.quietPolls(key), 3)
  memory.forget(key)
  assert.equal(memory.quietPolls(key), 0)
})
