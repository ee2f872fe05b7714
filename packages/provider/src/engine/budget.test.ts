import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom, VirtualClock } from '@orrery/testing'
import { ExternalError } from '../errors.ts'
import { Budget } from './budget.ts'

const never = new AbortController().signal
const throttled = (retryAfterMs?: number) =>
  new ExternalError({
    class: 'throttled',
    reason: 'Throttled',
    message: 'Slow down.',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })

/** A budget whose calls end when they are told to. */
function start(maxConcurrent: number) {
  const clock = new VirtualClock()
  const budget = new Budget({ maxConcurrent, clock, random: new SeededRandom(1) })
  const running = new Map<string, { readonly resolve: () => void }>()
  const order: string[] = []
  const call = (name: string, priority: 'change' | 'resync' = 'resync', signal: AbortSignal = never) =>
    budget.run({ priority, signal }, async () => {
      order.push(name)
      const { promise, resolve } = Promise.withResolvers<void>()
      running.set(name, { resolve: () => resolve() })
      await promise
      running.delete(name)
    })
  return { clock, budget, call, running, order, settle: () => clock.advance(0) }
}

test('no more calls are in flight than the credential may have', async () => {
  const { call, running, settle } = start(2)
  const calls = ['a', 'b', 'c'].map((name) => call(name))
  await settle()
  assert.deepEqual([...running.keys()], ['a', 'b'])
  running.get('a')?.resolve()
  await settle()
  assert.deepEqual([...running.keys()], ['b', 'c'])
  for (const { resolve } of running.values()) resolve()
  await Promise.all(calls)
})

test('what a user changed goes before what is only looked at again', async () => {
  const { call, running, order, settle } = start(1)
  const calls = [call('first'), call('old'), call('older'), call('edit', 'change')]
  for (let i = 0; i < calls.length; i++) {
    await settle()
    for (const { resolve } of running.values()) resolve()
  }
  await Promise.all(calls)
  assert.deepEqual(order, ['first', 'edit', 'old', 'older'])
})

test('a flood of changes does not starve what is only looked at again', async () => {
  const { call, running, order, settle } = start(1)
  const calls = [call('first'), call('patient'), ...Array.from({ length: 40 }, (_, i) => call(`edit ${i}`, 'change'))]
  for (let i = 0; i < calls.length; i++) {
    await settle()
    for (const { resolve } of running.values()) resolve()
  }
  await Promise.all(calls)
  assert.ok(order.indexOf('patient') < 20, `it came as number ${order.indexOf('patient')}`)
})

test('a call that is given up while it waits never starts, and frees its place', async () => {
  const { call, running, order, settle } = start(1)
  const first = call('first')
  const abort = new AbortController()
  const given = call('given up', 'resync', abort.signal)
  const last = call('last')
  abort.abort(new Error('gone'))
  await assert.rejects(given, /gone/)
  running.get('first')?.resolve()
  await settle()
  running.get('last')?.resolve()
  await Promise.all([first, last])
  assert.deepEqual(order, ['first', 'last'])
})

test('a call that is given up while it is paced frees its place', async () => {
  const { budget, clock, call, running, order, settle } = start(1)
  await assert.rejects(budget.run({ priority: 'change', signal: never }, () => Promise.reject(throttled(60_000))))
  const abort = new AbortController()
  const paced = call('paced', 'change', abort.signal)
  await settle()
  abort.abort(new Error('gone'))
  await assert.rejects(paced, /gone/)
  const next = call('next')
  await clock.advance(70_000)
  running.get('next')?.resolve()
  await next
  assert.deepEqual(order, ['next'])
})

test('throttling doubles the pause between calls, success melts it away', async () => {
  const { budget, clock } = start(4)
  const one = (outcome: () => Promise<unknown>) => {
    const run = budget.run({ priority: 'change', signal: never }, outcome).catch(() => undefined)
    return Promise.all([run, clock.advance(60_000)])
  }
  assert.equal(budget.intervalMs, 0)
  const pauses: number[] = []
  for (let i = 0; i < 12; i++) {
    await one(() => Promise.reject(throttled()))
    pauses.push(budget.intervalMs)
  }
  assert.deepEqual(pauses.slice(0, 4), [10, 20, 40, 80])
  assert.equal(pauses.at(-1), 10_000)
  for (let i = 0; i < 70 && budget.intervalMs > 0; i++) await one(async () => undefined)
  assert.equal(budget.intervalMs, 0)
})

test('other failures do not slow the calls down', async () => {
  const { budget } = start(1)
  const broken = new ExternalError({ class: 'transient', reason: 'Unreachable', message: 'Down.' })
  await assert.rejects(budget.run({ priority: 'change', signal: never }, () => Promise.reject(broken)))
  assert.equal(budget.intervalMs, 0)
})

test('nothing is sent before the moment that the system named', async () => {
  const { budget, clock, call, running, settle } = start(4)
  await assert.rejects(budget.run({ priority: 'change', signal: never }, () => Promise.reject(throttled(5_000))))
  const calls = [call('a'), call('b')]
  await clock.advance(4_900)
  assert.equal(running.size, 0)
  await clock.advance(400)
  assert.equal(running.size, 2)
  for (const { resolve } of running.values()) resolve()
  await settle()
  await Promise.all(calls)
})

test('when too many wait, a further call is refused as transient instead of piling up', async () => {
  const { call } = start(1)
  const abort = new AbortController()
  const waiting = Array.from({ length: 10_001 }, (_, i) => call(String(i), 'resync', abort.signal))
  const settled = Promise.allSettled(waiting.slice(1))
  await assert.rejects(call('one more'), (error) => error instanceof ExternalError && error.class === 'transient')
  abort.abort()
  await settled
})
