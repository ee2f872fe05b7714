import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimulatedProcess } from './simulated-process.ts'
import { VirtualClock } from './virtual-clock.ts'

function start() {
  const clock = new VirtualClock()
  const process = new SimulatedProcess(clock)
  const heard: string[] = []
  return { clock, process, heard, hear: (what: string) => () => void heard.push(what) }
}

test('a paused process hears answers and timers when it goes on, in their order', async () => {
  const { clock, process, heard, hear } = start()
  process.clock.schedule(10, hear('timer'))
  const answer = Promise.withResolvers<void>()
  void process.hold(answer.promise).then(hear('answer'))
  process.pause()
  answer.resolve()
  await clock.advance(100)
  assert.deepEqual(heard, [])
  process.resume()
  await clock.advance(0)
  assert.deepEqual(heard, ['answer', 'timer'])
})

test('a dead process hears nothing any more', async () => {
  const { clock, process, heard, hear } = start()
  process.clock.schedule(10, hear('timer'))
  void process.hold(Promise.resolve()).then(hear('answer'))
  process.kill()
  await clock.advance(100)
  assert.deepEqual(heard, [])
})

test('a timer that is cancelled while its process is paused does not fire', async () => {
  const { clock, process, heard, hear } = start()
  const timer = process.clock.schedule(10, hear('timer'))
  process.pause()
  await clock.advance(100)
  timer[Symbol.dispose]()
  process.resume()
  await clock.advance(0)
  assert.deepEqual(heard, [])
})
