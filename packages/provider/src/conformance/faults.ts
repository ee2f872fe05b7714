import assert from 'node:assert/strict'
import type { ConformanceWorld, Fault } from './harness.ts'
import { createReady, finish, living } from './lifecycle.ts'
import type { Rule, Stage } from './rule.ts'
import { subjectOf } from './rule.ts'
import { startLife } from './stage.ts'

interface Trouble {
  readonly name: string
  readonly faultOf: (world: ConformanceWorld) => Fault | undefined
}

/** Starts the trouble, which ends with the rule at the latest: it must not reach into the next one. */
async function begin({ faultOf }: Trouble, world: ConformanceWorld) {
  const fault = faultOf(world)
  await fault?.start()
  const stop = async () => await fault?.stop()
  return { stop, [Symbol.asyncDispose]: stop }
}

const troubles: readonly Trouble[] = [
  { name: 'its credential is wrong', faultOf: (world) => world.credentials?.wrong },
  { name: 'its system cannot be reached', faultOf: (world) => world.reach },
  { name: 'its system throttles', faultOf: (world) => world.throttling },
]

const isItsOwnSystem = ({ definition }: Stage) =>
  definition.providerConfig === 'none' ? 'it is a system itself and reached without a ProviderConfig' : undefined

/** The way to the system is in trouble: nothing is taken for gone, and everything goes on when it is over. */
export const faultRules: readonly Rule[] = [
  ...troubles.flatMap((trouble): readonly Rule[] => {
    const { name } = trouble
    const skip = (stage: Stage) =>
      isItsOwnSystem(stage) ?? (trouble.faultOf(stage.world) === undefined ? 'this world cannot cause it' : undefined)
    return [
      {
        says: `is not made while ${name}, and is made once when that is over`,
        skip,
        run: async (stage) => {
          await using fault = await begin(trouble, stage.world)
          // Started now, so that it never saw the credential that was right.
          await using _life = await startLife(stage.world)
          const subject = subjectOf(stage)
          await subject.create()
          await subject.until('to say that it is in trouble', (object) => isInTrouble(object))
          assert.equal(await living(stage, subject), 0)
          await fault.stop()
          await subject.untilReady()
          assert.equal(await living(stage, subject), 1)
          await finish(stage, subject)
        },
      },
      {
        says: `is not taken for gone while ${name}, neither living nor deleted`,
        skip,
        run: async (stage) => {
          await using life = await startLife(stage.world)
          const subject = await createReady(stage)
          const { sends } = life.gate
          await using fault = await begin(trouble, stage.world)
          await subject.look(life)
          await subject.until('to say that it is in trouble', (object) => isInTrouble(object))
          assert.equal(await living(stage, subject), 1)
          await subject.remove()
          await subject.look(life)
          assert.ok((await subject.get()).metadata.deletionTimestamp !== undefined)
          assert.equal(await living(stage, subject), 1)
          assert.equal(life.gate.sends, sends, 'what cannot be seen was taken for absent')
          const target = await subject.target()
          await fault.stop()
          await subject.untilGone()
          assert.deepEqual(await stage.world.outside.ids(target), [])
        },
      },
    ]
  }),
  {
    says: 'goes on with a new credential without a restart, and nothing is made anew',
    skip: (stage) =>
      isItsOwnSystem(stage) ?? (stage.world.credentials === undefined ? 'this world cannot cause it' : undefined),
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const subject = await createReady(stage)
      await stage.world.credentials?.rotate()
      await subject.look(life)
      await subject.untilReady()
      assert.equal(await living(stage, subject), 1)
      await finish(stage, subject)
    },
  },
]

function isInTrouble(object: Awaited<ReturnType<ReturnType<typeof subjectOf>['get']>>): boolean {
  const synced = object.status?.conditions?.find(({ type }) => type === 'Synced')
  return synced !== undefined && synced.status !== 'True'
}
