import assert from 'node:assert/strict'
import { test } from 'node:test'
import { object } from '@orrery/api'
import { SeededRandom, VirtualClock } from '@orrery/testing'
import { NotSentError } from '../errors.ts'
import { defineProvider } from '../provider.ts'
import { ConnectionPool } from './pool.ts'

const how = { priority: 'change', signal: new AbortController().signal } as const

function start() {
  const opened: string[] = []
  const closed: string[] = []
  const provider = defineProvider<string>()({
    group: 'x.example.com',
    description: 'X.',
    shortName: 'x',
    config: object({}),
    kinds: [],
    maxConcurrentCalls: 4,
    connect: ({ credentials }) => {
      const name = credentials['token'] ?? ''
      opened.push(name)
      return name
    },
    close: async (client) => void closed.push(client),
    check: async () => undefined,
    identify: () => 'system',
  })
  const pool = new ConnectionPool({ provider, clock: new VirtualClock(), random: new SeededRandom(1) })
  const get = (token: string, id = 'config') => pool.get(id, { config: {}, credentials: { token } })
  return { pool, get, opened, closed }
}

test('all objects of one config share one client', () => {
  const { get, opened } = start()
  assert.equal(get('a'), get('a'))
  assert.notEqual(get('a'), get('a', 'another config'))
  assert.deepEqual(opened, ['a', 'a'])
})

test('a changed credential opens a new client and closes the unused old one', async () => {
  const { get, closed, opened } = start()
  get('a')
  get('b')
  assert.deepEqual([opened, closed], [['a', 'b'], ['a']])
})

test('a client that is replaced while in use is closed when its last call has returned', async () => {
  const { pool, get, closed } = start()
  const old = get('a')
  const first = Promise.withResolvers<void>()
  const second = Promise.withResolvers<void>()
  const calls = [pool.use(old, how, () => first.promise), pool.use(old, how, () => second.promise)]
  get('b')
  first.resolve()
  await calls[0]
  assert.deepEqual(closed, [])
  second.resolve()
  await calls[1]
  assert.deepEqual(closed, ['a'])
})

test('no call goes over a client that was replaced before it', async () => {
  const { pool, get } = start()
  const old = get('a')
  get('b')
  let isCalled = false
  await assert.rejects(
    pool.use(old, how, async () => {
      isCalled = true
    }),
    NotSentError,
  )
  assert.equal(isCalled, false)
})

test('a config that is gone takes its client with it, and the end of the pool all of them', async () => {
  const { pool, get, closed } = start()
  get('a')
  get('b', 'another config')
  pool.drop('config')
  pool.drop('config')
  assert.deepEqual(closed, ['a'])
  await pool[Symbol.asyncDispose]()
  assert.deepEqual(closed, ['a', 'b'])
})
