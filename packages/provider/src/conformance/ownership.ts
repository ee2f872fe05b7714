import assert from 'node:assert/strict'
import { annotations } from '../managed.ts'
import { asJson, digest, finish, living } from './lifecycle.ts'
import type { Rule, Stage } from './rule.ts'
import { subjectOf } from './rule.ts'
import { startLife } from './stage.ts'

const importable = ({ kindCase }: Stage) =>
  kindCase.isImportable ? undefined : 'the system chooses its id, so that a name names nothing that exists'

/** Whose it is: what exists already, what is taken over, what two objects claim. */
export const ownershipRules: readonly Rule[] = [
  {
    says: 'refuses what exists and is not its own, and leaves it when it goes',
    skip: importable,
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const { subject, place } = await existing(stage)
      const before = await stage.world.outside.digest({ ...place, uid: '' })
      await subject.create()
      await subject.untilReason('Ready', 'AlreadyExists')
      assert.deepEqual(await subject.look(life), { sends: 0, writes: 0 })
      await subject.remove()
      await subject.untilGone()
      assert.equal(life.gate.sends, 0)
      assert.deepEqual(await stage.world.outside.digest({ ...place, uid: '' }), before)
      await stage.world.outside.remove({ ...place, uid: '' })
    },
  },
  {
    says: 'takes over what exists when it is told to adopt it, and then owns it',
    skip: importable,
    run: async (stage) => {
      await using _life = await startLife(stage.world)
      const { subject } = await existing(stage)
      await subject.create({ annotations: { [annotations.adopt]: 'true' } })
      const adopted = await subject.untilReady()
      assert.equal(adopted.status?.external?.ownership, 'Adopted')
      assert.equal(await living(stage, subject), 1)
      await finish(stage, subject)
    },
  },
  {
    says: 'only looks at what exists when its policies contain nothing but Observe',
    skip: importable,
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const { subject, place } = await existing(stage)
      await subject.create({ spec: asJson({ managementPolicies: ['Observe'] }) })
      const seen = await subject.until('to be observed', ({ status }) => status?.atProvider !== undefined)
      assert.equal(seen.status?.external, undefined)
      const before = await digest(stage, subject)
      await subject.look(life)
      assert.deepEqual(await subject.look(life), { sends: 0, writes: 0 })
      await subject.remove()
      await subject.untilGone()
      assert.equal(life.gate.sends, 0)
      assert.deepEqual(await stage.world.outside.digest({ ...place, uid: '' }), before)
      await stage.world.outside.remove({ ...place, uid: '' })
    },
  },
  {
    says: 'has one owner when two objects claim it, and the other has it when that one is gone',
    skip: importable,
    run: async (stage) => {
      await using life = await startLife(stage.world)
      const [first, second] = [subjectOf(stage, 'a'), subjectOf(stage, 'b')]
      const shared = { annotations: { [annotations.externalName]: first.defaultExternalName } }
      await first.create(shared)
      await first.untilReady()
      await second.create(shared)
      await second.untilReason('Ready', 'AlreadyExists')
      await second.look(life)
      assert.deepEqual(await second.look(life), { sends: 0, writes: 0 })
      const target = await first.target()
      await first.remove()
      await first.untilGone()
      await second.look(life)
      await second.untilReady()
      assert.equal((await stage.world.outside.ids({ ...target, uid: (await second.target()).uid })).length, 1)
      await finish(stage, second)
    },
  },
]

/** Something that a person made, under the name that an object is about to ask for. */
async function existing(stage: Stage) {
  const subject = subjectOf(stage)
  const { namespace, name } = subject.key
  const place = { namespace, name, kind: stage.kindCase.kind, externalName: subject.defaultExternalName }
  await stage.world.outside.make(place)
  return { subject, place }
}
