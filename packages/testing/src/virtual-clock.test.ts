import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from './virtual-clock.ts'

test('timers fire by time, and of the same time in the order they were set', async () => {
  const clock = new VirtualClock()
  const fired: string[] = []
  for (const [delayMs, name] of [
    [30, 'c'],
    [10, 'a'],
    [20, 'b1'],
    [20, 'b2'],
    [0, 'now'],
  ] as const) {
    clock.schedule(delayMs, () => fired.push(`${name}@${clock.mono()}`))
  }
  while (await clock.step());
  assert.deepEqual(fired, ['now@0', 'a@10', 'b1@20', 'b2@20', 'c@30'])
})

test('what follows from a timer is finished before the next one fires', async () => {
  const clock = new VirtualClock()
  const seen: string[] = []
  clock.schedule(1, () => {
    void (async () => {
      for (let i = 0; i < 100; i++) await Promise.resolve()
      seen.push('chain')
    })()
  })
  clock.schedule(1, () => seen.push('next'))
  await clock.advance(5)
  assert.deepEqual(seen, ['chain', 'next'])
  assert.equal(clock.mono(), 5)
})

test('a disposed timer never fires, and the wall can jump while the monotonic clock cannot', async () => {
  const clock = new VirtualClock()
  const timer = clock.schedule(1, () => assert.fail('disposed'))
  timer[Symbol.dispose]()
  const before = clock.now()
  clock.jumpWall(-60_000)
  await clock.advance(10)
  assert.equal(clock.now() - before, -59_990)
  assert.equal(clock.mono(), 10)
})
