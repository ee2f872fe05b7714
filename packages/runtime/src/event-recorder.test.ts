import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@orrery/api'
import { createClient } from '@orrery/client'

import { SeededRandom, VirtualClock } from '@orrery/testing'
import { createEventRecorder, OBJECT_BURST, PENDING_MAX, REMEMBERED_MS } from './event-recorder.ts'
import { TinyServer } from './tiny-server.test-support.ts'

function setUp() {
  const clock = new VirtualClock()
  const server = new TinyServer()
  const parts = { clock, random: new SeededRandom(1), log: silentLogger }
  const client = createClient({ transport: server.handle, userAgent: 'test', ...parts })
  const recorder = createEventRecorder({ client, component: 'orrery', identity: 'one', ...parts })
  const say = (name: string, message: string) =>
    recorder.record({
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name, uid: name } },
      type: 'Normal',
      reason: 'Told',
      message,
    })
  return { clock, server, recorder, say }
}

test('a repetition is counted in the event that is there; after a while it is a new one', async () => {
  const { clock, server, recorder, say } = setUp()
  say('a', 'hello')
  await clock.advance(1_000)
  say('a', 'hello')
  await clock.advance(1_000)
  assert.deepEqual(
    server.writes.map((write) => write.split(' ')[0]),
    ['POST', 'PATCH'],
  )
  await clock.advance(REMEMBERED_MS)
  say('a', 'hello')
  await clock.advance(1_000)
  assert.equal(server.writes.at(-1), 'POST /api/v1/namespaces/default/events')
  await recorder[Symbol.asyncDispose]()
})

test('one object cannot flood, and another is heard meanwhile', async () => {
  const { clock, server, recorder, say } = setUp()
  for (let i = 0; i < 1_000; i++) say('noisy', `message ${i}`)
  say('quiet', 'hello')
  await clock.advance(60_000)
  assert.equal(server.writes.length, OBJECT_BURST + 1)
  await recorder[Symbol.asyncDispose]()
})

test('what waits is bounded, and recording never throws nor waits, not even without a server', async () => {
  const { clock, server, recorder, say } = setUp()
  server.outage = new Error('gone')
  for (let i = 0; i < 3 * PENDING_MAX; i++) say(`object-${i}`, 'hello')
  await clock.advance(1_000)
  server.outage = undefined
  await clock.advance(3_600_000)
  assert.ok(server.writes.length <= PENDING_MAX, `${server.writes.length}`)
  assert.ok(server.writes.length > PENDING_MAX / 2, `${server.writes.length}`)
  await recorder[Symbol.asyncDispose]()
})
