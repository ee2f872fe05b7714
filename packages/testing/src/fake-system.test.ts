import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExternalError } from '@orrery/provider'
import type { FakeCreation } from './fake-system.ts'
import { FakeSystem, GIVE_UP_MS } from './fake-system.ts'
import { SeededRandom } from './seeded-random.ts'
import { VirtualClock } from './virtual-clock.ts'

const call = { kind: 'X', token: 'secret', signal: new AbortController().signal }
const creation: FakeCreation = {
  name: 'a',
  fields: { size: 1 },
  secrets: {},
  mark: null,
  isUnique: false,
  token: undefined,
  durationMs: 0,
}

function start(faults: ConstructorParameters<typeof FakeSystem>[0]['faults'] = {}) {
  const clock = new VirtualClock()
  const nature = { X: { lateMs: 10_000, listLagMs: 10_000, readLagMs: 1_000 } }
  const system = new FakeSystem({ name: 'x', clock, random: new SeededRandom(7), faults, nature })
  /** The outcome, once enough time has passed for any answer. */
  const outcome = async <T>(work: Promise<T>): Promise<T> => {
    const settled = Promise.allSettled([work])
    await clock.advance(2 * GIVE_UP_MS)
    await settled
    return await work
  }
  return { clock, system, outcome }
}

const hasClass = (wanted: string) => (error: unknown) => error instanceof ExternalError && error.class === wanted

test('a lost answer is unknown to the caller, and the thing exists', async () => {
  const { system, outcome } = start({ answerLost: 1 })
  await assert.rejects(outcome(system.create(call, creation)), hasClass('unknown'))
  assert.equal(system.things().length, 1)
})

test('a late request is executed after the caller gave up, within its lateness', async () => {
  const { system, outcome, clock } = start({ late: 1 })
  await assert.rejects(outcome(system.create(call, creation)), hasClass('unknown'))
  await clock.advance(10_000)
  assert.equal(system.things().length, 1)
})

test('a fence stops what is under way, not what is sent after it', async () => {
  const { system, outcome, clock } = start({ late: 1 })
  const attempt = { ...call, attempt: 'one' }
  await assert.rejects(outcome(system.create(attempt, creation)), hasClass('unknown'))
  const made = system.things().length
  system.heal()
  await outcome(system.endSession(call, 'one'))
  await clock.advance(10_000)
  assert.equal(system.things().length, made)
  await outcome(system.create(attempt, creation))
  assert.equal(system.things().length, made + 1)
})

test('a token makes one thing, also after that thing is gone', async () => {
  const { system, outcome } = start()
  const once = { ...creation, token: 'once' }
  const first = await outcome(system.create(call, once))
  assert.equal((await outcome(system.create(call, once))).id, first.id)
  system.removeByHand(first)
  await outcome(system.create(call, once))
  assert.equal(system.things().length, 0)
})

test('a new thing is missing from reads and lists for a while', async () => {
  const { system, clock, outcome } = start()
  await outcome(system.create(call, creation))
  assert.equal((await outcome(system.list(call))).length, 0)
  await clock.advance(10_000)
  assert.equal((await outcome(system.list(call))).length, 1)
})

test('a refused credential, a forbidden verb and an outage are told apart, and change nothing', async () => {
  const { system, outcome } = start()
  await assert.rejects(outcome(system.create({ ...call, token: 'wrong' }, creation)), hasClass('user'))
  system.denied.add('create')
  await assert.rejects(outcome(system.create(call, creation)), hasClass('user'))
  system.isReachable = false
  await assert.rejects(outcome(system.create(call, creation)), hasClass('transient'))
  system.heal()
  system.isThrottling = true
  await assert.rejects(outcome(system.create(call, creation)), hasClass('throttled'))
  assert.deepEqual(system.ledger, [])
})
