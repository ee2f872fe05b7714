import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Condition, Kind, ResourceObject } from '@orrery/api'
import { equalJson, isConflict, isNotFound, parseJson, parseYaml } from '@orrery/api'
import { fieldsOf } from '../fields.ts'
import type { World } from '../world.test-support.ts'
import { allWell, condition, createWorld, NAMESPACE } from '../world.test-support.ts'

const shelves: Kind<ResourceObject> = {
  group: 'library.orrery.dev',
  version: 'v1alpha1',
  kind: 'Shelf',
  plural: 'shelves',
  singular: 'shelf',
  namespaced: true,
}
const roles: typeof shelves = { ...shelves, kind: 'Role', plural: 'roles', singular: 'role' }

interface Status {
  readonly conditions: readonly Condition[]
  readonly [field: string]: unknown
}

/** Stands in for a manager: gives every object this status, for each of its generations. */
async function answer(world: World, kind: typeof shelves, status: Status, signal: AbortSignal): Promise<void> {
  for await (const event of world.client.watch(kind, { namespace: NAMESPACE, sendInitialEvents: true, signal })) {
    if (event.type !== 'ADDED' && event.type !== 'MODIFIED') continue
    const { generation = 1 } = event.object.metadata
    const conditions = status.conditions.map((each) => ({ ...each, observedGeneration: generation }))
    const next = { ...status, observedGeneration: generation, conditions }
    if (equalJson(event.object.status, next)) continue
    try {
      await world.client.updateStatus(kind, { ...event.object, status: next })
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error // A newer event tells.
    }
  }
}

async function withAnswer<T>(kind: typeof shelves, status: Status, run: (world: World) => Promise<T>): Promise<T> {
  await using world = await createWorld()
  await world.putLease(1_000)
  const ending = new AbortController()
  const answering = answer(world, kind, status, ending.signal)
  try {
    return await run(world)
  } finally {
    ending.abort()
    await answering
  }
}

const namesOf = async (world: World) =>
  (await world.client.listAll(shelves, { namespace: NAMESPACE })).items.map(({ metadata }) => metadata.name)

const observed = {
  conditions: allWell,
  atProvider: { owner: 'boss', tags: [], size: 'XL' },
  external: { name: 'old', ownership: 'Adopted', since: '2026-01-02T03:04:05Z' },
}
const args = ['import', 'shelf', 'new', '--external-name', 'old', '--provider-config', 'cfg', '--timeout', '10s']

test('an import prints a manifest of what exists, and leaves nothing behind', async () => {
  await withAnswer(shelves, observed, async (world) => {
    const { code, out } = await world.run(...args)
    assert.equal(code, 0)
    assert.deepEqual(parseYaml(out).value, {
      apiVersion: 'library.orrery.dev/v1alpha1',
      kind: 'Shelf',
      metadata: {
        name: 'new',
        namespace: NAMESPACE,
        annotations: { 'orrery.dev/external-name': 'old', 'orrery.dev/adopt': 'true' },
      },
      spec: {
        providerConfigRef: { name: 'cfg' },
        managementPolicies: ['*'],
        forProvider: { owner: 'boss', size: 'XL' },
      },
    })
    assert.deepEqual(await namesOf(world), [])
  })
})

test('an import that only observes asks for nothing else', async () => {
  await withAnswer(shelves, observed, async (world) => {
    const manifest = fieldsOf(parseJson((await world.run(...args, '--observe-only', '-o', 'json')).out).value)
    assert.deepEqual(fieldsOf(manifest['spec'])['managementPolicies'], ['Observe'])
    assert.deepEqual(fieldsOf(fieldsOf(manifest['metadata'])['annotations']), { 'orrery.dev/external-name': 'old' })
  })
})

test('--apply makes the object, and tells that it was taken up', async () => {
  await withAnswer(shelves, observed, async (world) => {
    const ran = await world.run(...args, '--apply', '-o', 'json')
    assert.equal(ran.code, 0)
    assert.equal(fieldsOf(parseJson(ran.out).value)['adopted'], true)
    assert.deepEqual(await namesOf(world), ['new'])
  })
})

test('an object that observes already is promoted in place', async () => {
  await withAnswer(shelves, observed, async (world) => {
    assert.equal((await world.run(...args, '--observe-only', '--apply')).code, 0)
    assert.equal((await world.run(...args, '--apply')).code, 0)
    const object = await world.client.get(shelves, { namespace: NAMESPACE, name: 'new' })
    assert.deepEqual(fieldsOf(object.spec)['managementPolicies'], ['*'])
  })
})

test('what does not exist outside is an error, and leaves nothing behind', async () => {
  const conditions = [condition('Ready', 'False', 'NotFound', 'It does not exist.')]
  await withAnswer(shelves, { conditions }, async (world) => {
    const ran = await world.run(...args, '-o', 'json')
    assert.equal(ran.code, 1)
    assert.equal(fieldsOf(fieldsOf(parseJson(ran.out).value)['error'])['code'], 'ExternalNotFound')
    assert.deepEqual(await namesOf(world), [])
  })
})

test('what is not observed in time exits with 5, and leaves nothing behind', async () => {
  await withAnswer(shelves, { conditions: [condition('Ready', 'False', 'Waiting')] }, async (world) => {
    assert.equal((await world.run(...args, '--timeout', '1ms')).code, 5)
    assert.deepEqual(await namesOf(world), [])
  })
})

test('a spec that the server would refuse is told before anything is made', async () => {
  await withAnswer(shelves, observed, async (world) => {
    assert.equal((await world.run(...args, '--set', 'sizes=7')).code, 1)
    assert.deepEqual(await namesOf(world), [])
  })
})

test('what would set a new secret is applied only when that is asked for', async () => {
  await withAnswer(roles, { ...observed, atProvider: {} }, async (world) => {
    const role = ['import', 'role', 'boss', '--external-name', 'boss', '--apply']
    assert.equal((await world.run(...role)).code, 3)
    assert.equal((await world.run(...role, '--set', 'passwordSecretRef.name=boss-login')).code, 0)
    assert.equal((await world.run(...role.with(2, 'other'), '--new-secrets')).code, 0)
  })
})
