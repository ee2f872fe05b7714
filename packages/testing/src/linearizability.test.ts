import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isLinearizable, type RegisterOperation } from './linearizability.ts'

const at = (calledAt: number, returnedAt: number) => ({ calledAt, returnedAt })
const written = (expected: number, version: number, times: ReturnType<typeof at>): RegisterOperation => ({
  type: 'write',
  expected,
  version,
  outcome: 'written',
  ...times,
})
const unknown = (expected: number, version: number, calledAt: number): RegisterOperation => ({
  type: 'write',
  expected,
  version,
  outcome: 'unknown',
  ...at(calledAt, Number.POSITIVE_INFINITY),
})
const read = (saw: number, times: ReturnType<typeof at>): RegisterOperation => ({ type: 'read', saw, ...times })

for (const { name, history, want } of [
  { name: 'nothing', history: [], want: true },
  { name: 'a write, then its read', history: [written(0, 1, at(0, 1)), read(1, at(2, 3))], want: true },
  { name: 'a stale read', history: [written(0, 1, at(0, 1)), read(0, at(2, 3))], want: false },
  { name: 'a read beside a write may see either', history: [written(0, 1, at(0, 5)), read(0, at(1, 2))], want: true },
  {
    name: 'reads must not go back',
    history: [written(0, 1, at(0, 9)), read(1, at(1, 2)), read(0, at(3, 4))],
    want: false,
  },
  { name: 'two winners of one version', history: [written(0, 1, at(0, 5)), written(0, 2, at(0, 5))], want: false },
  { name: 'a lost write', history: [written(0, 1, at(0, 1)), written(0, 2, at(2, 3))], want: false },
  {
    name: 'an unknown write that happened late',
    history: [unknown(0, 1, 0), read(0, at(1, 2)), read(1, at(3, 4))],
    want: true,
  },
  { name: 'an unknown write that never happened', history: [unknown(0, 1, 0), read(0, at(1, 2))], want: true },
  { name: 'an unknown write undone', history: [unknown(0, 1, 0), read(1, at(1, 2)), read(0, at(3, 4))], want: false },
  {
    name: 'a refusal that names the expected version',
    history: [written(0, 1, at(0, 1)), { type: 'refused', expected: 1, saw: 1, ...at(2, 3) }],
    want: false,
  },
] satisfies { name: string; history: readonly RegisterOperation[]; want: boolean }[]) {
  test(`linearizability: ${name}`, () => assert.equal(isLinearizable(history), want))
}

test('every history of a real register is accepted, and rejected once a read is changed to a version never written', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(5), fc.nat(5)), { minLength: 1, maxLength: 40 }), (steps) => {
      let state = 0
      let version = 0
      const history = steps.map(([isRead, before, behind], index): RegisterOperation => {
        // Each operation takes effect at `index * 10`, somewhere inside its call.
        const times = at(index * 10 - before * 7, index * 10 + behind * 7)
        if (isRead) return read(state, times)
        const expected = state
        state = ++version
        return written(expected, state, times)
      })
      assert.equal(isLinearizable(history), true)
      assert.equal(isLinearizable([...history, read(version + 1, at(1000, 1001))]), false)
    }),
  )
})
