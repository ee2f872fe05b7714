import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attempt, EffectName, Safety } from './safety.ts'
import { CLOCK_SKEW_MS, lateUntil, settleStep } from './safety.ts'

const STARTED = Date.parse('2026-01-01T00:00:00Z')
const SEND_BEFORE = STARTED + 5_000
const LATE = 30_000
const SETTLED = SEND_BEFORE + LATE + CLOCK_SKEW_MS

const attempt = (effect: EffectName): Attempt => ({
  id: 'a',
  effect,
  request: {},
  startedAt: new Date(STARTED).toISOString(),
  sendBefore: new Date(SEND_BEFORE).toISOString(),
  epoch: 1,
})
const name: Safety = { type: 'name' }
const token: Safety = { type: 'token', lifetimeMs: 600_000 }
const find: Safety = { type: 'find', maxListLagMs: 60_000 }
const fence: Safety = { type: 'fence' }
const unsafe: Safety = { type: 'unsafe' }
const TOKEN_ENDS = STARTED + 600_000 - CLOCK_SKEW_MS

const cases: readonly {
  readonly rule: string
  readonly safety: Safety
  readonly effect?: EffectName
  readonly nowMs: number
  readonly want: string
  readonly untilMs?: number
}[] = [
  { rule: 'a unique name is looked up at once', safety: name, nowMs: STARTED, want: 'observe' },
  { rule: 'a token is sent again at once', safety: token, nowMs: STARTED, want: 'resend' },
  { rule: 'until it may be forgotten', safety: token, nowMs: TOKEN_ENDS, want: 'observe' },
  { rule: 'a repeated update needs no token', safety: token, effect: 'update', nowMs: STARTED, want: 'observe' },
  {
    rule: 'a mark is looked for only when it must be visible',
    safety: find,
    nowMs: SETTLED,
    want: 'wait',
    untilMs: SETTLED + 60_000,
  },
  { rule: 'and then it is', safety: find, nowMs: SETTLED + 60_000, want: 'observe' },
  { rule: 'a repeated deletion needs no mark', safety: find, effect: 'delete', nowMs: STARTED, want: 'observe' },
  {
    rule: 'a fence stands once nobody may send any more',
    safety: fence,
    nowMs: STARTED,
    want: 'wait',
    untilMs: SEND_BEFORE + CLOCK_SKEW_MS,
  },
  { rule: 'and then at once', safety: fence, nowMs: SEND_BEFORE + CLOCK_SKEW_MS, want: 'fence' },
  { rule: 'what nothing makes safe is asked', safety: unsafe, nowMs: SETTLED + 1e9, want: 'ask' },
  { rule: 'also an update', safety: unsafe, effect: 'update', nowMs: STARTED, want: 'ask' },
  { rule: 'but a deletion is looked up', safety: unsafe, effect: 'delete', nowMs: STARTED, want: 'observe' },
]

for (const { rule, safety, effect = 'create', nowMs, want, untilMs } of cases) {
  test(`settling: ${rule}`, () => {
    const step = settleStep({ attempt: attempt(effect), safety, maxLateExecutionMs: LATE, nowMs })
    assert.equal(step.type, want)
    if (untilMs !== undefined) assert.equal(step.type === 'wait' && step.untilMs, untilMs)
  })
}

test('nothing that was sent takes effect after the window, the declared lateness and the skew of two clocks', () => {
  assert.equal(lateUntil(attempt('create'), LATE), SETTLED)
})
