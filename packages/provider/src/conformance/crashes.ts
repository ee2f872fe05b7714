import assert from 'node:assert/strict'
import type { SendFault } from './gate.ts'
import { asJson, createReady, digest, finish, living } from './lifecycle.ts'
import type { Rule, Stage } from './rule.ts'
import { subjectOf } from './rule.ts'
import type { Life } from './stage.ts'
import { startLife, until } from './stage.ts'
import type { Subject } from './subject.ts'

/** More points than the life of any sensible object has; beyond it something goes round in circles. */
const MAX_POINTS = 400
const MIN_KILLED_SHARE = 0.8
/** Of the declared lateness: how late a late call is executed. */
const LATE_SHARE = 0.8

/** A manager dies, sleeps or is not answered at any moment. */
export const crashRules: readonly Rule[] = [
  {
    says: 'ends as it would have, whichever point of its life a manager is killed at',
    run: async (stage) => {
      const undisturbed = await measure(stage)
      assert.ok(undisturbed.points > 0 && undisturbed.points < MAX_POINTS, `${undisturbed.points} points`)
      let kills = 0
      let lives = 0
      for (let killAt = 1; killAt <= undisturbed.points; killAt += stage.crashStride) {
        lives += 1
        if (await crashAt(stage, killAt, undisturbed.states)) kills += 1
      }
      // No two lives have quite the same number of points; but a suite that seldom kills proves nothing.
      assert.ok(kills >= lives * MIN_KILLED_SHARE, `only ${kills} of ${lives} managers were killed`)
    },
  },
  ...(['create', 'change', 'delete'] as const).map(
    (effect): Rule => ({
      says: `exists once when the answer to the call to ${effect} it is lost`,
      skip: ({ kindCase }) => unchangeable(kindCase.changes.length, effect),
      run: async (stage) => await withFault(stage, effect, { type: 'lost' }),
    }),
  ),
  ...(['create', 'change', 'delete'] as const).map(
    (effect): Rule => ({
      says: `ends as it should when the call to ${effect} it never arrives`,
      skip: ({ kindCase }) => unchangeable(kindCase.changes.length, effect),
      run: async (stage) => await withFault(stage, effect, { type: 'swallowed' }),
    }),
  ),
  ...(['create', 'change', 'delete'] as const).map(
    (effect): Rule => ({
      says: `exists once when the call to ${effect} it is executed after it was given up`,
      skip: ({ kindCase, definition }) =>
        definition.maxLateExecutionMs === 0
          ? 'it declares that nothing is executed late'
          : unchangeable(kindCase.changes.length, effect),
      run: async (stage) =>
        await withFault(stage, effect, { type: 'late', afterMs: stage.definition.maxLateExecutionMs * LATE_SHARE }),
    }),
  ),
  {
    says: 'exists once when the manager that was to make it sleeps over its lease and another takes over',
    run: async (stage) => {
      const { world } = stage
      await using sleeper = await startLife(world, { isElected: true })
      sleeper.gate.pauseAtAttempt()
      const subject = subjectOf(stage)
      await subject.create()
      await until(world, 'the first manager to fall asleep', async () => (sleeper.gate.isPaused ? true : undefined))
      await using other = await startLife(world, { isElected: true })
      await subject.untilReady()
      sleeper.gate.resume()
      assert.ok((await sleeper.ended) instanceof Error, 'the sleeper did not notice that its lease is lost')
      // Whatever the sleeper may have sent arrives meanwhile.
      await subject.look(other)
      assert.equal(sleeper.gate.sends, 0)
      assert.equal(await living(stage, subject), 1)
      await finish(stage, subject)
    },
  },
]

const unchangeable = (changes: number, effect: string) =>
  effect === 'change' && changes === 0 ? 'nothing of it can be changed' : undefined

/** What is outside after each act of a life. */
type States = readonly unknown[]

/** The life that crashes are put into: made, changed, deleted. */
async function live(stage: Stage, subject: Subject): Promise<States> {
  const states: unknown[] = []
  await subject.untilReady()
  assert.equal(await living(stage, subject), 1)
  states.push(await digest(stage, subject))
  const [change] = stage.kindCase.changes
  if (change !== undefined) {
    await subject.patch(asJson({ spec: { forProvider: change.forProvider } }))
    await subject.untilReady()
    assert.equal(await living(stage, subject), 1)
    states.push(await digest(stage, subject))
  }
  await finish(stage, subject)
  return states
}

async function measure(stage: Stage): Promise<{ readonly points: number; readonly states: States }> {
  await using life = await startLife(stage.world)
  const subject = subjectOf(stage, 'undisturbed')
  await subject.create()
  const states = await live(stage, subject)
  return { points: life.gate.points, states }
}

/** Answers whether the manager lived to be killed there. */
async function crashAt(stage: Stage, killAt: number, undisturbed: States): Promise<boolean> {
  const subject = subjectOf(stage, `crash-${killAt}`)
  const lives: Life[] = [await startLife(stage.world, { killAt })]
  try {
    const [first] = lives
    // The next manager starts when the first has died, as a supervisor would have it.
    const relay = first === undefined ? undefined : succeed(first, stage, lives)
    await subject.create()
    const states = await live(stage, subject)
    assert.deepEqual(await normalized(stage, states), await normalized(stage, undisturbed), `killed at point ${killAt}`)
    const wasKilled = first?.gate.killed.aborted === true
    first?.gate.kill()
    await relay
    return wasKilled
  } catch (error) {
    throw new Error(`Killed at point ${killAt}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  } finally {
    for (const life of lives) await life[Symbol.asyncDispose]()
  }
}

async function succeed(first: Life, { world }: Stage, lives: Life[]): Promise<void> {
  await first.ended
  if (first.gate.killed.aborted) lives.push(await startLife(world))
}

/** Digests may name the object; the lives compared have different names. */
async function normalized(stage: Stage, states: States): Promise<unknown> {
  const names = new RegExp(`${stage.prefix}-(undisturbed|crash-[0-9]+)`, 'g')
  return JSON.parse(JSON.stringify(states).replaceAll(names, 'name'))
}

async function withFault(stage: Stage, effect: 'create' | 'change' | 'delete', fault: SendFault): Promise<void> {
  await using life = await startLife(stage.world)
  if (effect === 'create') life.gate.failNextSend(fault)
  const subject = await createReady(stage)
  const target = await subject.target()
  if (effect === 'change') {
    life.gate.failNextSend(fault)
    await subject.patch(asJson({ spec: { forProvider: stage.kindCase.changes[0]?.forProvider ?? {} } }))
    await subject.untilReady()
  }
  assert.equal(await living(stage, subject), 1)
  if (effect === 'delete') life.gate.failNextSend(fault)
  await subject.remove()
  await subject.untilGone()
  assert.deepEqual(await stage.world.outside.ids(target), [])
  // Nothing that was given up may bring it back.
  const { promise, resolve } = Promise.withResolvers<void>()
  using _timer = stage.world.clock.schedule(fault.type === 'late' ? fault.afterMs : 0, resolve)
  await promise
  assert.deepEqual(await stage.world.outside.ids(target), [])
}
