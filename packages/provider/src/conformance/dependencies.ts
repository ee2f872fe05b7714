import assert from 'node:assert/strict'
import type { KubeObject, Secret } from '@orrery/api'
import { isNotFound, namespaces, secrets } from '@orrery/api'
import type { ProviderConfigObject } from '../kinds.ts'
import { providerConfigKind } from '../kinds.ts'
import type { SentCall } from './gate.ts'
import type { ConformanceWorld, KindCase, Target } from './harness.ts'
import { asJson, living } from './lifecycle.ts'
import type { Rule, Stage } from './rule.ts'
import { subjectOf } from './rule.ts'
import { startLife, until } from './stage.ts'
import { Subject } from './subject.ts'

const CONFIG = 'default'

/** What it needs: references, the way to the system, the namespace. They may come and go in any order. */
export const dependencyRules: readonly Rule[] = [
  {
    says: 'waits for what it needs, in whichever order that comes, and sends nothing meanwhile',
    skip: ({ definition, kindCase }) =>
      definition.providerConfig === 'none' && (kindCase.prerequisites ?? []).length === 0
        ? 'it needs nothing'
        : undefined,
    run: async (stage) => {
      const apart = await setApart(stage)
      await using life = await startLife(apart.stage.world)
      await apart.subject.create()
      await apart.subject.untilReason('Ready', 'Waiting')
      for (const needed of apart.needed.toReversed()) await needed.create()
      await apart.makeConfig()
      await apart.subject.untilReason('Ready', 'Waiting')
      assert.equal(life.gate.sends, 0)
      await apart.makeSecret()
      await apart.subject.untilReady()
      assert.equal(await living(apart.stage, apart.subject), 1)
      const targets = await targetsOf(apart)
      for (const subject of [apart.subject, ...apart.needed.toReversed()]) await subject.remove()
      await untilNothing(apart, targets)
    },
  },
  {
    says: 'comes apart in the right order when everything it needs is deleted first',
    run: async (stage) => {
      const apart = await makeApart(stage)
      const targets = await targetsOf(apart)
      const { client } = stage.world
      await removeIfThere(() => client.delete(secrets, { namespace: apart.namespace, name: apart.secretName }))
      await removeIfThere(() =>
        client.delete(providerConfigKind(stage.world.provider), { namespace: apart.namespace, name: CONFIG }),
      )
      for (const subject of [...apart.needed, apart.subject]) await subject.remove()
      await using life = await startLife(apart.stage.world)
      await untilNothing(apart, targets)
      assertOrder(apart, targets, life.gate.sent)
      for (const kind of [secrets, providerConfigKind(stage.world.provider)]) {
        await until(stage.world, `${kind.kind} to be gone`, async () => {
          const { items } = await client.listAll<KubeObject>(kind, { namespace: apart.namespace })
          return items.some(({ metadata }) => metadata.deletionTimestamp !== undefined) ? undefined : true
        })
      }
    },
  },
  {
    says: 'outlives what is reached through it, and so does its Secret, when it is deleted first',
    skip: ({ definition, world, peer }) => {
      if (definition.kind !== world.provider.instanceKind) return 'nothing is reached through it'
      return peer === undefined ? 'no kind can be reached through it without more' : undefined
    },
    run: outliveUsers,
  },
  {
    says: 'comes apart with its namespace, and nothing is left outside',
    run: async (stage) => {
      const apart = await makeApart(stage)
      const targets = await targetsOf(apart)
      const { world } = stage
      await world.client.delete(namespaces, { name: apart.namespace })
      await using _life = await startLife(apart.stage.world, { keepsHouse: world.keepsHouse !== true })
      await until(world, `namespace ${apart.namespace} to be gone`, async () =>
        (await world.client.find(namespaces, { name: apart.namespace })) === undefined ? true : undefined,
      )
      for (const target of targets) assert.deepEqual(await world.outside.ids(target), [], target.name)
    },
  },
]

/** An instance, its config and its Secret are asked to go; they stay until what lives in the instance has gone. */
async function outliveUsers(stage: Stage): Promise<void> {
  const { peer, world } = stage
  assert.ok(peer !== undefined)
  const { client, provider } = world
  const { namespace, subject, stage: own } = await setApart(stage)
  const inside = new Subject(own.world, peer, `${stage.prefix}-inside`)
  const way = { namespace, name: `${stage.prefix}-way` }
  const configs = providerConfigKind(provider)
  const config: ProviderConfigObject = {
    apiVersion: `${configs.group}/${configs.version}`,
    kind: configs.kind,
    metadata: { namespace, name: CONFIG },
    spec: { instanceRef: { name: subject.name } },
  }
  {
    await using _life = await startLife(own.world)
    await subject.create({ spec: { writeConnectionSecretToRef: { name: way.name } } })
    await client.create(configs, config)
    await inside.create()
    await inside.untilReady()
  }
  const targets = [await inside.target(), await subject.target()]
  await client.delete(secrets, way)
  await subject.remove()
  await client.delete(configs, { namespace, name: CONFIG })
  await using life = await startLife(own.world)
  const looked = life.gate.observes
  await until(world, 'a look outside', async () => (life.gate.observes > looked ? true : undefined))
  assert.deepEqual(life.gate.sent, [], 'something was deleted while what lives in it did not go')
  assert.ok((await client.find(secrets, way)) !== undefined, 'the way to it is gone')
  await inside.remove()
  for (const each of [inside, subject]) await each.untilGone()
  for (const target of targets) assert.deepEqual(await world.outside.ids(target), [], target.name)
  const order = life.gate.sent.filter(({ effect }) => effect === 'delete').map(({ kind }) => kind)
  assert.deepEqual(order, [peer.kind, subject.kind.kind])
}

/** A case in a namespace of its own, with a way to the system and prerequisites of its own. */
interface Apart {
  readonly stage: Stage
  readonly namespace: string
  readonly subject: Subject
  readonly needed: readonly Subject[]
  readonly secretName: string
  readonly makeConfig: () => Promise<void>
  readonly makeSecret: () => Promise<void>
}

async function setApart(stage: Stage): Promise<Apart> {
  const { world, prefix, kindCase } = stage
  const { client } = world
  const namespace = `${world.namespace}-${prefix}`
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace }, spec: {} })
  const configs = providerConfigKind(world.provider)
  const config = await client.get(configs, { namespace: world.namespace, name: CONFIG })
  const secretName = config.spec.credentialsSecretRef?.name ?? ''
  const secret = await client.get(secrets, { namespace: world.namespace, name: secretName })
  const own: ConformanceWorld = { ...world, namespace }
  const names = new Set((kindCase.prerequisites ?? []).map(({ metadata }) => metadata.name))
  const rename = <T>(value: T): T => renamed(value, { names, prefix })
  const ownCase: KindCase = { ...kindCase, forProvider: rename(kindCase.forProvider) }
  const ownStage: Stage = { ...stage, world: own, kindCase: ownCase }
  const needed = (kindCase.prerequisites ?? []).map(
    (object) => new Subject(own, rename(caseOf(object)), `${prefix}-${object.metadata.name}`),
  )
  return {
    stage: ownStage,
    namespace,
    subject: subjectOf(ownStage),
    needed,
    secretName,
    async makeConfig() {
      const copy: ProviderConfigObject = { ...bare(config), metadata: { namespace, name: CONFIG }, spec: config.spec }
      await client.create(configs, copy)
    },
    async makeSecret() {
      const copy: Secret = { ...bare(secret), metadata: { namespace, name: secretName }, data: secret.data ?? {} }
      await client.create(secrets, copy)
    },
  }
}

/** Everything is there and Ready, and no manager runs. */
async function makeApart(stage: Stage): Promise<Apart> {
  const apart = await setApart(stage)
  await apart.makeSecret()
  await apart.makeConfig()
  await using _life = await startLife(apart.stage.world)
  for (const subject of [...apart.needed, apart.subject]) {
    await subject.create()
    await subject.untilReady()
  }
  return apart
}

const bare = ({ apiVersion, kind }: KubeObject) => ({ apiVersion, kind })

function caseOf(object: KubeObject): KindCase {
  const { forProvider = {}, ...spec } = asJson({ ...object }).spec ?? {}
  return { kind: object.kind, forProvider, spec, changes: [], driftable: [], isImportable: false }
}

/** References to what is copied lead to the copies. */
function renamed<T>(value: T, how: { readonly names: ReadonlySet<string>; readonly prefix: string }): T {
  const text = JSON.stringify(value, (key, inner: unknown) => {
    if (key !== 'name' || typeof inner !== 'string' || !how.names.has(inner)) return inner
    return `${how.prefix}-${inner}`
  })
  return JSON.parse(text)
}

const targetsOf = async ({ subject, needed }: Apart): Promise<readonly Target[]> =>
  await Promise.all([subject, ...needed].map(async (each) => await each.target()))

async function untilNothing({ subject, needed, stage }: Apart, targets: readonly Target[]): Promise<void> {
  for (const each of [subject, ...needed]) await each.untilGone()
  for (const target of targets) assert.deepEqual(await stage.world.outside.ids(target), [], target.name)
}

/** What refers to something is deleted before it, unless the kind says otherwise. */
function assertOrder({ stage, needed }: Apart, targets: readonly Target[], sent: readonly SentCall[]): void {
  const references = Object.values(stage.definition.references ?? {})
  const first = references.filter(({ deleteBeforeTarget }) => deleteBeforeTarget !== false).map(({ to }) => to)
  const deletions = sent.filter(({ effect }) => effect === 'delete')
  const place = ({ kind, externalName }: Target) =>
    deletions.findIndex((call) => call.kind === kind && call.externalName === externalName)
  const [own, ...others] = targets
  assert.ok(own !== undefined && place(own) >= 0, 'it was not deleted')
  // A prerequisite may also be there for a change that is not made here.
  const asked = JSON.stringify(stage.kindCase.forProvider)
  const order = deletions.map(({ kind, externalName }) => `${kind} ${externalName}`).join(', ')
  for (const [index, target] of others.entries()) {
    const isReferred = asked.includes(JSON.stringify({ name: needed[index]?.name }))
    if (!isReferred || !first.includes(target.kind)) continue
    assert.ok(place(own) < place(target), `${target.kind} ${target.externalName} was deleted before it: ${order}`)
  }
}

async function removeIfThere(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove()
  } catch (error) {
    if (!isNotFound(error)) throw error // Nobody held it, so that it is gone already.
  }
}
