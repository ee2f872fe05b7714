import assert from 'node:assert/strict'
import { equalJson, findCondition, secrets } from '@orrery/api'
import { annotations } from '../managed.ts'
import type { Rule, Stage } from './rule.ts'
import { subjectOf } from './rule.ts'
import { startLife } from './stage.ts'
import type { Subject } from './subject.ts'

/** An ordinary life: creation, change, drift, loss, pause, deletion. */
export const lifecycleRules: readonly Rule[] = [
  {
    says: 'is made by one external call, and once it agrees it is neither called nor written again',
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const subject = await createReady(stage)
      const made = life.gate.sends
      assert.ok(made >= 1, 'nothing was sent')
      assert.equal(await living(stage, subject), 1)
      assert.deepEqual(await subject.look(life), { sends: 0, writes: 0 })
      await finish(stage, subject)
    },
  },
  {
    says: 'is left alone by a manager that starts anew',
    run: async (stage) => {
      const subject = subjectOf(stage)
      await using first = await startLife(stage.world)
      await subject.create()
      await subject.untilReady()
      await subject.look(first)
      await first[Symbol.asyncDispose]()
      await using second = await startLife(stage.world)
      assert.deepEqual(await subject.look(second), { sends: 0, writes: 0 })
      await finish(stage, subject)
    },
  },
  {
    says: 'follows each change of its spec, and what results is as if it had been made so',
    skip: ({ kindCase }) => (kindCase.changes.length === 0 ? 'nothing of it can be changed' : undefined),
    run: async (stage) => {
      await using _life = await startLife(stage.world)
      const subject = await createReady(stage)
      for (const { forProvider } of stage.kindCase.changes) {
        const before = await digest(stage, subject)
        await subject.patch(asJson({ spec: { forProvider } }))
        await subject.untilReady()
        assert.notDeepEqual(await digest(stage, subject), before)
      }
      assert.equal(await living(stage, subject), 1)
      await finish(stage, subject)
    },
  },
  {
    says: 'shows drift with its fields and undoes it, or only shows it when driftPolicy is Report',
    skip: ({ kindCase }) => (kindCase.driftable.length === 0 ? 'nothing of it can drift' : undefined),
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const subject = await createReady(stage)
      const right = await digest(stage, subject)
      for (const field of stage.kindCase.driftable) {
        await stage.world.outside.change(await subject.target(), field)
        assert.ok((await subject.look(life)).sends >= 1, `drift of ${field} was not undone`)
        await subject.untilReady()
        assert.deepEqual(await digest(stage, subject), right)
      }
      await subject.patch({ spec: { driftPolicy: 'Report' } })
      await subject.untilReady()
      for (const field of stage.kindCase.driftable) {
        await stage.world.outside.change(await subject.target(), field)
        const { sends } = await subject.look(life)
        assert.equal(sends, 0, `drift of ${field} was undone`)
        const reported = await subject.untilReason('UpToDate', 'DriftReported')
        assert.ok((reported.status?.drift ?? []).length > 0)
        assert.equal(findCondition(reported.status?.conditions, 'Ready')?.status, 'True')
      }
      await finish(stage, subject)
    },
  },
  ...(['Recreate', 'Report'] as const).map(
    (lossPolicy): Rule => ({
      says: `is ${lossPolicy === 'Recreate' ? 'made anew' : 'reported as missing'} when it vanished and lossPolicy is ${lossPolicy}`,
      run: async (stage) => {
        await using life = await startLife(stage.world)
        const subject = await createReady(stage, { lossPolicy })
        const { external } = (await subject.get()).status ?? {}
        await pastReadLag(stage, external?.since)
        await stage.world.outside.remove(await subject.target())
        const { sends } = await subject.look(life)
        if (lossPolicy === 'Recreate') {
          await subject.untilReady()
          assert.equal(await living(stage, subject), 1)
        } else {
          await subject.untilReason('Ready', 'ExternalMissing')
          assert.equal(sends, 0)
          assert.equal(await living(stage, subject), 0)
        }
        await finish(stage, subject)
      },
    }),
  ),
  {
    says: 'is neither read nor changed while paused',
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const subject = await createReady(stage)
      await subject.patch({ metadata: { annotations: { [annotations.paused]: 'true' } } })
      await subject.untilReason('Synced', 'ReconcilePaused')
      const { observes, sends } = life.gate
      const [change] = stage.kindCase.changes
      await subject.patch(asJson({ spec: { forProvider: change?.forProvider ?? {} } }))
      await subject.remove()
      await subject.until('to be asked to go', ({ metadata }) => metadata.deletionTimestamp !== undefined)
      assert.deepEqual([life.gate.observes, life.gate.sends], [observes, sends])
      assert.equal(await living(stage, subject), 1)
      await subject.patch({ metadata: { annotations: { [annotations.paused]: null } } })
      await subject.untilGone()
    },
  },
  {
    says: 'is left outside when its policies do not contain Delete',
    run: async (stage) => {
      await using _life = await startLife(stage.world)
      const subject = await createReady(stage, { managementPolicies: ['Observe', 'Create', 'Update'] })
      const target = await subject.target()
      await subject.remove()
      await subject.untilGone()
      assert.equal((await stage.world.outside.ids(target)).length, 1)
      await stage.world.outside.remove(target)
    },
  },
  {
    says: 'is not deleted while it holds data, unless that is forced',
    skip: ({ definition, world }) =>
      definition.dataBearing && world.outside.fill !== undefined ? undefined : 'it holds no data',
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const subject = await createReady(stage)
      const target = await subject.target()
      await stage.world.outside.fill?.(target, true)
      await subject.remove()
      await subject.untilReason('Synced', 'NotEmpty')
      assert.equal((await subject.look(life)).sends, 0)
      assert.equal(await living(stage, subject), 1)
      await subject.patch({ spec: { forceDestroy: true } })
      await subject.untilGone()
      assert.deepEqual(await stage.world.outside.ids(target), [])
    },
  },
  {
    says: 'never overwrites a Secret that is not its own with its connection',
    skip: ({ definition }) => (definition.connection === undefined ? 'it has no connection' : undefined),
    run: async (stage) => {
      const { world, prefix } = stage
      await using _life = await startLife(world)
      const name = `${prefix}-taken`
      const mine = { mine: 'eA==' }
      const metadata = { namespace: world.namespace, name }
      await world.client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: mine })
      const subject = subjectOf(stage)
      await subject.create({ spec: { writeConnectionSecretToRef: { name } } })
      await subject.untilReason('Ready', 'SecretNotOurs')
      assert.ok(equalJson((await world.client.get(secrets, metadata)).data ?? {}, mine))
      await subject.patch({ spec: { writeConnectionSecretToRef: { name: `${prefix}-own` } } })
      await subject.untilReady()
      const own = await world.client.get(secrets, { namespace: world.namespace, name: `${prefix}-own` })
      assert.ok(Object.keys(own.data ?? {}).length > 0)
      await finish(stage, subject)
    },
  },
]

/** An object of the case, made and Ready. */
export async function createReady(stage: Stage, spec: Parameters<typeof asJson>[0] = {}): Promise<Subject> {
  const subject = subjectOf(stage)
  await subject.create({ spec: asJson(spec) })
  await subject.untilReady()
  return subject
}

/** Deletes the object; nothing may be left of it outside. */
export async function finish(stage: Stage, subject: Subject): Promise<void> {
  const target = await subject.target()
  await subject.remove()
  await subject.untilGone()
  assert.deepEqual(await stage.world.outside.ids(target), [])
}

/** How many things exist for the object. */
export async function living({ world }: Stage, subject: Subject): Promise<number> {
  return (await world.outside.ids(await subject.target())).length
}

export async function digest({ world }: Stage, subject: Subject): Promise<unknown> {
  return await world.outside.digest(await subject.target())
}

/** What was just made may be invisible for a while; a loss can only be told after that. */
async function pastReadLag({ world, definition }: Stage, since: string | undefined): Promise<void> {
  const visibleMs = Date.parse(since ?? '') + (definition.maxReadLagMs ?? 0)
  const { promise, resolve } = Promise.withResolvers<void>()
  using _timer = world.clock.schedule(Math.max(0, visibleMs - world.clock.now()), resolve)
  await promise
}

/** Plain data as the client sends it. */
export function asJson(value: Readonly<Record<string, unknown>>) {
  return JSON.parse(JSON.stringify(value))
}
