import assert from 'node:assert/strict'
import type { Secret } from '@orrery/api'
import { equalJson, findCondition, secrets } from '@orrery/api'
import { credentialSecretName, decode } from '../engine/credentials.ts'
import { annotations } from '../managed.ts'
import { asJson, createReady, digest, finish, living } from './lifecycle.ts'
import type { Rule, Stage } from './rule.ts'
import { subjectOf } from './rule.ts'
import { startLife, until } from './stage.ts'

const hasConnection = ({ definition }: Stage) =>
  definition.connection === undefined ? 'it has no connection' : undefined

/** What the object says and asks for: fields that cannot change, policies, events, secrets, questions. */
export const shapeRules: readonly Rule[] = [
  {
    says: 'is replaced when an immutable field changes, and if it bears data only when that is forced',
    skip: ({ kindCase }) =>
      kindCase.immutableChange === undefined ? 'the case changes no immutable field' : undefined,
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const subject = await createReady(stage)
      const target = await subject.target()
      const [ids, before] = [await stage.world.outside.ids(target), await digest(stage, subject)]
      await subject.patch(asJson({ spec: { forProvider: stage.kindCase.immutableChange } }))
      if (stage.definition.dataBearing) {
        const refused = await subject.untilReason('UpToDate', 'ReplaceRefused')
        assert.equal(findCondition(refused.status?.conditions, 'Ready')?.status, 'True')
        assert.equal((await subject.look(life)).sends, 0)
        assert.deepEqual(await stage.world.outside.ids(target), ids)
        await subject.patch({ spec: { forceDestroy: true } })
      }
      await subject.untilReady()
      assert.equal(await living(stage, subject), 1)
      assert.notDeepEqual(await digest(stage, subject), before)
      await finish(stage, subject)
    },
  },
  {
    says: 'is not changed when its policies do not contain Update, and says what waits',
    skip: ({ kindCase }) => (kindCase.changes.length === 0 ? 'nothing of it can be changed' : undefined),
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const subject = await createReady(stage, { managementPolicies: ['Observe', 'Create', 'Delete'] })
      await subject.look(life)
      const before = await digest(stage, subject)
      const { sends } = life.gate
      await subject.patch(asJson({ spec: { forProvider: stage.kindCase.changes[0]?.forProvider ?? {} } }))
      const held = await subject.untilReason('UpToDate', 'ManagementPolicy')
      assert.equal(held.status?.plan?.action, 'update')
      await subject.look(life)
      assert.equal(life.gate.sends, sends)
      assert.deepEqual(await digest(stage, subject), before)
      await subject.patch({ spec: { managementPolicies: ['*'] } })
      await subject.untilReady()
      assert.notDeepEqual(await digest(stage, subject), before)
      await finish(stage, subject)
    },
  },
  {
    says: 'tells drift and its correction by one event each',
    skip: ({ kindCase }) => (kindCase.driftable.length === 0 ? 'nothing of it can drift' : undefined),
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const subject = await createReady(stage)
      await subject.look(life)
      const [field = ''] = stage.kindCase.driftable
      await stage.world.outside.change(await subject.target(), field)
      await subject.look(life)
      await subject.untilReady()
      for (const reason of ['DriftDetected', 'DriftCorrected']) {
        const told = life.events.filter((event) => event.name === subject.name && event.reason === reason)
        assert.equal(told.length, 1, reason)
        assert.ok(told[0]?.message.includes(field), `${reason} does not name ${field}`)
      }
      await finish(stage, subject)
    },
  },
  {
    says: 'has its connection Secret as it was when somebody changes or deletes that',
    skip: hasConnection,
    run: async (stage) => {
      const { world, prefix, definition } = stage
      await using _life = await startLife(world)
      const name = `${prefix}-own`
      const subject = await createReady(stage, { writeConnectionSecretToRef: { name } })
      const key = { namespace: world.namespace, name }
      const right = await world.client.get(secrets, key)
      const [field = ''] = Object.keys(right.data ?? {})
      const untilRight = async (what: string) =>
        await until(world, what, async () => {
          const found: Secret | undefined = await world.client.find(secrets, key)
          return equalJson(found?.data ?? {}, right.data ?? {}) ? true : undefined
        })
      await world.client.patch(secrets, key, { type: 'merge', body: { data: { [field]: 'eA==' } } })
      await untilRight('the changed Secret to be right')
      // The Secret of an instance is held as long as the instance is there.
      if (definition.kind !== world.provider.instanceKind) {
        await world.client.delete(secrets, key)
        await untilRight('the deleted Secret to be back')
      }
      await finish(stage, subject)
    },
  },
  {
    says: 'tells its secrets neither in the object nor in events',
    skip: ({ definition }) => (definition.credentials === undefined ? 'it has no secrets' : undefined),
    run: async (stage) => {
      const { world } = stage
      await using life = await startLife(world)
      const subject = await createReady(stage)
      await subject.look(life)
      const name = credentialSecretName({ kind: subject.kind }, subject.name)
      const secret = await world.client.get(secrets, { namespace: world.namespace, name })
      const said = JSON.stringify([await subject.get(), life.events])
      for (const key of Object.keys(stage.definition.credentials ?? {})) {
        const field = stage.definition.credentials?.[key]?.key ?? key
        const value = decode(secret.data?.[field] ?? '')
        assert.ok(value !== '', `${name} has no ${field}`)
        assert.ok(!said.includes(value), `${key} is told`)
      }
      await finish(stage, subject)
    },
  },
  ...(['adopt', 'retry', 'abandon'] as const).map(
    (answer): Rule => ({
      says: `asks when nobody can tell what a call to create it came to, makes nothing meanwhile, and follows ${answer}`,
      skip: ({ definition }) =>
        definition.safety.create.type === 'unsafe' ? undefined : 'what became of a call can be found out',
      run: async (stage) => await ask(stage, answer),
    }),
  ),
]

async function ask(stage: Stage, answer: 'adopt' | 'retry' | 'abandon'): Promise<void> {
  const { world } = stage
  await using life = await startLife(world)
  life.gate.failNextSend({ type: answer === 'adopt' ? 'lost' : 'swallowed' })
  const subject = subjectOf(stage)
  await subject.create()
  // Looked at without answering, as `Subject` would.
  const attempt = await until(world, 'the question', async () => {
    const { status } = await subject.get()
    const reason = findCondition(status?.conditions, 'Ready')?.reason
    return reason === 'OutcomeUnknown' ? status?.attempt : undefined
  })
  assert.equal((await subject.look(life)).sends, 0)
  const ids = await world.outside.ids(await subject.target())
  assert.equal(ids.length, answer === 'adopt' ? 1 : 0)
  const instruction = answer === 'adopt' ? `adopt=${ids[0]}` : answer
  await subject.patch({ metadata: { annotations: { [annotations.settle]: `${attempt.id}:${instruction}` } } })
  await subject.untilReady()
  assert.equal(await living(stage, subject), 1)
  await finish(stage, subject)
}
