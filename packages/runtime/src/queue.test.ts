import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '@orrery/testing'
import fc from 'fast-check'
import { evenRandom } from './even-random.test-support.ts'
import { CHANGE_DURING_BACKOFF_MS, QUARANTINE_FAILURES, STARVATION_BOUND, WorkQueue } from './queue.ts'

function setUp(options: { concurrency?: number; maxKeys?: number } = {}) {
  const clock = new VirtualClock()
  const queue = new WorkQueue({ clock, random: evenRandom, concurrency: 4, onReady: () => undefined, ...options })
  const takeAll = () => {
    const keys: string[] = []
    for (let work = queue.take(); work !== undefined; work = queue.take()) keys.push(work.key)
    return keys
  }
  return { clock, queue, takeAll }
}

test('a key that waits is taken once, however often it was added', () => {
  const { queue, takeAll } = setUp()
  for (let i = 0; i < 5; i++) queue.add('a', 'change')
  assert.deepEqual(takeAll(), ['a'])
})

test('what is added while its key is in work is taken up afterwards, not beside it', () => {
  const { queue, takeAll } = setUp()
  queue.add('a', 'change')
  assert.deepEqual(takeAll(), ['a'])
  queue.add('a', 'change')
  assert.deepEqual(takeAll(), [])
  queue.succeed('a')
  assert.deepEqual(takeAll(), ['a'])
  queue.succeed('a')
  assert.equal(queue.depth, 0)
})

test('a change overtakes every resync, and a waiting resync becomes a change when something changes', () => {
  const { queue, takeAll } = setUp()
  for (const key of ['r1', 'r2', 'r3']) queue.add(key, 'resync')
  queue.add('c', 'change')
  queue.add('r3', 'change')
  assert.deepEqual(takeAll(), ['c', 'r3', 'r1', 'r2'])
})

test('a resync does not starve under a stream of changes', () => {
  const { queue } = setUp()
  queue.add('resync', 'resync')
  for (let i = 0; i <= STARVATION_BOUND; i++) {
    queue.add(`change-${i}`, 'change')
    if (queue.take()?.key === 'resync') return
  }
  assert.fail('the resync was never taken')
})

test('a delayed key is due after its delay, and a change brings it forward', async () => {
  const { clock, queue, takeAll } = setUp()
  queue.add('a', 'resync', 60_000)
  queue.add('b', 'resync', 60_000)
  await clock.advance(59_999)
  assert.deepEqual(takeAll(), [])
  queue.add('b', 'change')
  assert.deepEqual(takeAll(), ['b'])
  await clock.advance(1)
  assert.deepEqual(takeAll(), ['a'])
})

test('a key that always fails backs off to ten minutes, alone', async () => {
  const { clock, queue } = setUp()
  queue.add('bad', 'change')
  let attempts = 0
  const delays: number[] = []
  while (attempts < 30) {
    const work = queue.take()
    if (work === undefined) {
      await clock.advance(delays.at(-1) ?? 0)
      continue
    }
    assert.equal(work.attempt, ++attempts)
    delays.push(queue.fail('bad'))
  }
  assert.ok(delays.every((delay, index) => index === 0 || delay >= (delays[index - 1] ?? 0)))
  assert.equal(Math.round((delays.at(-1) ?? 0) / 60_000), 9) // Ten minutes less the jitter of this test's randomness.
  queue.add('good', 'change')
  assert.equal(queue.take()?.key, 'good')
})

test('a change of a failing key is tried soon, but never at once', async () => {
  const { clock, queue, takeAll } = setUp()
  queue.add('bad', 'change')
  for (let i = 0; i < 12; i++) {
    for (; queue.take() === undefined; ) await clock.advance(600_000)
    queue.fail('bad')
  }
  queue.add('bad', 'resync')
  await clock.advance(CHANGE_DURING_BACKOFF_MS)
  assert.deepEqual(takeAll(), [])
  queue.add('bad', 'change')
  await clock.advance(CHANGE_DURING_BACKOFF_MS)
  assert.deepEqual(takeAll(), ['bad'])
})

test('keys in quarantine hold a quarter of the workers at most', async () => {
  const { clock, queue } = setUp({ concurrency: 8 })
  const bad = Array.from({ length: 10 }, (_, index) => `bad-${index}`)
  for (const key of bad) queue.add(key, 'change')
  for (let round = 0; round < QUARANTINE_FAILURES; round++) {
    for (const _ of bad) queue.fail(queue.take()?.key ?? '')
    await clock.advance(600_000)
  }
  queue.add('good', 'change')
  const taken = Array.from({ length: 8 }, () => queue.take()?.key).filter((key) => key !== undefined)
  assert.equal(taken.filter((key) => key.startsWith('bad')).length, 2)
  assert.ok(taken.includes('good'))
})

test('a full queue refuses new keys and says so', () => {
  const { queue } = setUp({ maxKeys: 2 })
  assert.equal(queue.add('a', 'change'), true)
  assert.equal(queue.add('b', 'change'), true)
  assert.equal(queue.add('c', 'change'), false)
  assert.equal(queue.add('a', 'change'), true)
})

test('no key is ever in work twice, and none that was added is forgotten', async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('add' as const),
      key: fc.constantFrom('a', 'b', 'c'),
      resync: fc.boolean(),
      after: fc.nat(50),
    }),
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constantFrom('succeed' as const, 'fail' as const, 'again' as const) }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.nat(100) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
      const { clock, queue } = setUp()
      const working = new Set<string>()
      const wanted = new Set<string>()
      for (const now of steps) {
        if (now.do === 'add') {
          queue.add(now.key, now.resync ? 'resync' : 'change', now.after)
          wanted.add(now.key)
        } else if (now.do === 'advance') await clock.advance(now.ms)
        else if (now.do === 'take') {
          const key = queue.take()?.key
          if (key === undefined) continue
          assert.ok(!working.has(key))
          working.add(key)
          wanted.delete(key)
        } else {
          const [key] = working
          if (key === undefined) continue
          working.delete(key)
          if (now.do === 'succeed') queue.succeed(key)
          else if (now.do === 'again') queue.succeed(key, 10)
          else queue.fail(key)
        }
      }
      for (const key of working) queue.succeed(key)
      await clock.advance(600_000)
      for (let work = queue.take(); work !== undefined; work = queue.take()) wanted.delete(work.key)
      assert.deepEqual([...wanted], [])
    }),
  )
})
