import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom } from '@orrery/testing'
import fc from 'fast-check'
import { DEFAULT_POLL, nextPollMs } from './polling.ts'

test('law: polls are between nine tenths of the shortest and eleven tenths of the longest pause, for ever', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer(), (quietPolls, seed) => {
      const delayMs = nextPollMs(DEFAULT_POLL, quietPolls, new SeededRandom(seed))
      assert.ok(delayMs >= DEFAULT_POLL.minMs * 0.9 && delayMs <= DEFAULT_POLL.maxMs * 1.1)
    }),
  )
})

test('each quiet poll doubles the pause up to its limit', () => {
  const even = { next: () => 0.5, bytes: () => new Uint8Array(), uuid: () => '' }
  const minutes = [0, 1, 2, 3, 4, 5].map((quiet) => nextPollMs(DEFAULT_POLL, quiet, even) / 60_000)
  assert.deepEqual(minutes, [1, 2, 4, 8, 10, 10])
})
