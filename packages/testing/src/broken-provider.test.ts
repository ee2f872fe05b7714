import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Random } from '@orrery/api'
import type { KindDefinition } from '@orrery/provider'
import { brokenRules } from '@orrery/provider/conformance'
import { FakeClient } from './fake-behaviour.ts'
import { fakeHarness } from './fake-harness.ts'

/** Mistakes of provider authors, each in an otherwise right kind, and how the rule begins that must find it. */
const mistakes: readonly {
  readonly name: string
  readonly found: string
  readonly make: (kind: KindDefinition, random: Random) => Partial<KindDefinition>
}[] = [
  {
    name: 'makes a second thing beside the call',
    found: 'is made by one external call',
    make: (kind) => ({
      create: async (context) => {
        const result = await kind.create(context)
        const externalName = `${context.externalName}-copy`
        await kind.create({ ...context, externalName, send: async (call) => await call() })
        return result
      },
    }),
  },
  {
    name: 'chooses a name of its own at each call',
    found: 'is made by one external call',
    make: (kind, random) => ({
      create: async (context) => await kind.create({ ...context, externalName: random.uuid() }),
    }),
  },
  {
    name: 'puts right what it finds when it only looks',
    found: 'shows drift with its fields',
    make: (kind) => ({
      observe: async (context) => {
        const { client } = context
        const observation = await kind.observe(context)
        const id = observation.state === 'present' ? Reflect.get(Object(observation.atProvider), 'id') : undefined
        if (client instanceof FakeClient && typeof id === 'string' && context.owned) {
          const fields = { size: Number(Reflect.get(Object(context.desired), 'size')) }
          await client.system.update(client.call(kind.kind, context), id, { fields, secrets: {} })
          return await kind.observe(context)
        }
        return observation
      },
    }),
  },
  {
    name: 'takes an error for absence',
    found: 'is not taken for gone while its credential is wrong',
    make: (kind) => ({
      observe: async (context) => {
        try {
          return await kind.observe(context)
        } catch {
          return { state: 'absent' }
        }
      },
    }),
  },
  {
    name: 'deletes what holds data without asking',
    found: 'is not deleted while it holds data',
    make: (kind) => ({
      observe: async (context) => {
        const observation = await kind.observe(context)
        if (observation.state !== 'present') return observation
        const { notEmpty: _ignored, ...rest } = observation
        return rest
      },
      delete: async (context) => await kind.delete({ ...context, forceDestroy: true }),
    }),
  },
  {
    name: 'has an update that changes nothing',
    found: 'follows each change of its spec',
    make: () => ({ update: async ({ send }) => await send(async () => ({ state: 'done' })) }),
  },
]

for (const { name, found, make } of mistakes) {
  test(`the suite finds a kind that ${name}`, async () => {
    const broken = await brokenRules(
      fakeHarness(1, {
        name,
        world: 'managed',
        provider: (provider, random) => ({
          ...provider,
          kinds: provider.kinds.map((kind) => (kind.kind === 'Bucket' ? { ...kind, ...make(kind, random) } : kind)),
        }),
      }),
      'Bucket',
      { saying: found },
    )
    assert.ok(broken.length > 0)
  })
}
