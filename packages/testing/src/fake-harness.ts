import type { JsonObject, KubeObject, Secret } from '@orrery/api'
import { namespaces, secrets, silentLogger } from '@orrery/api'
import type { Client } from '@orrery/client'
import { providerConfigKind } from '@orrery/provider'
import type { ConformanceWorld, Outside, ProviderHarness, Target } from '@orrery/provider/conformance'
import { Registry } from 'prom-client'
import { FAKE_GROUP, fakeNature, fakeProvider } from './fake-provider.ts'
import type { FakeThing } from './fake-system.ts'
import { FakeSystem } from './fake-system.ts'
import type { Mutant } from './mutants.ts'
import { SeededRandom } from './seeded-random.ts'
import { createTestHub } from './test-hub.ts'
import { VirtualClock } from './virtual-clock.ts'

const NAMESPACE = 'conformance'
const CREDENTIAL = { namespace: NAMESPACE, name: 'credential' }
/** Covers the slowest kind: attempts, lateness, lag, a long operation, a back-off, each several times. */
const PATIENCE_MS = 30 * 60_000
const LOOK_EVERY_MS = 250

/** The fakes in virtual time over a hub in the same process; with a mutant, a provider that breaks rules. */
export function fakeHarness(seed: number, mutant?: Mutant): ProviderHarness {
  return {
    cases: [
      plain('Topic', { isImportable: true }),
      plain('Bucket', { isImportable: true }),
      plain('Volume', { isImportable: false }),
      plain('Address', { isImportable: false }),
      plain('Table', { isImportable: true }),
      plain('Ticket', { isImportable: false }),
      plain('Cluster', { isImportable: true }),
      {
        ...plain('Login', { isImportable: true }),
        forProvider: { size: 2, topicRef: { name: 'needed' }, bucketsRefs: [{ name: 'needed' }] },
        prerequisites: [needed('Topic'), needed('Bucket')],
        changes: [
          { field: 'size', forProvider: { size: 3 } },
          { field: 'buckets', forProvider: { bucketsRefs: [] } },
        ],
      },
      plain('Server', { isImportable: true }),
    ],
    run: async (work) => await runVirtual(seed, mutant, work),
  }
}

function plain(kind: string, { isImportable }: { readonly isImportable: boolean }) {
  return {
    kind,
    forProvider: { size: 2, tags: { team: 'a' } },
    changes: [
      { field: 'size', forProvider: { size: 3 } },
      { field: 'tags', forProvider: { tags: { team: 'b' } } },
    ],
    immutableChange: { region: 'north' },
    driftable: ['size'],
    isImportable,
  }
}

function needed(kind: string): KubeObject {
  const object = { apiVersion: `${FAKE_GROUP}/v1alpha1`, kind, metadata: { name: 'needed' }, spec: { forProvider: {} } }
  return object
}

/** Steps the clock until the work has ended. */
async function runVirtual(
  seed: number,
  mutant: Mutant | undefined,
  work: (world: ConformanceWorld) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock()
  const random = new SeededRandom(seed)
  const over = new AbortController()
  const running = (async () => {
    await using hub = await createTestHub({ clock, random })
    await work(await worldOf({ clock, random, client: hub.client, mutant }))
  })().finally(() => {
    over.abort()
  })
  running.catch(() => undefined) // Rejects below, when the clock has stopped.
  while (!over.signal.aborted) await clock.step()
  await running
}

interface Parts {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly client: Client
  readonly mutant: Mutant | undefined
}

async function worldOf({ clock, random, client, mutant }: Parts): Promise<ConformanceWorld> {
  const system = new FakeSystem({ name: 'fake', clock, random, nature: fakeNature(0.8) })
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE }, spec: {} })
  await client.create(secrets, credential(system.token))
  const rest = { clock, random, client, log: silentLogger }
  const faked = fakeProvider(system)
  const provider = mutant?.provider?.(faked, random) ?? faked
  return {
    ...rest,
    provider,
    namespace: NAMESPACE,
    systemNamespace: 'orrery-system',
    createMetrics: () => new Registry(),
    createConfig: async () => {
      const config = {
        apiVersion: `${FAKE_GROUP}/v1alpha1`,
        kind: 'ProviderConfig',
        metadata: { namespace: NAMESPACE, name: 'default' },
        spec: { credentialsSecretRef: { name: CREDENTIAL.name } },
      }
      await client.create(providerConfigKind(provider), config)
    },
    patienceMs: PATIENCE_MS,
    lookEveryMs: LOOK_EVERY_MS,
    outside: outsideOf(system),
    credentials: {
      wrong: {
        start: async () => await setToken(client, 'wrong'),
        stop: async () => await setToken(client, system.token),
      },
      rotate: async () => {
        system.token = `secret-${random.integer(1, 1_000_000)}`
        await setToken(client, system.token)
      },
    },
    reach: {
      start: async () => {
        system.isReachable = false
      },
      stop: async () => {
        system.isReachable = true
      },
    },
    throttling: {
      start: async () => {
        system.isThrottling = true
      },
      stop: async () => {
        system.isThrottling = false
      },
    },
  }
}

function outsideOf(system: FakeSystem): Outside {
  // By name, and by what only the ledger knows: a duplicate may have any name.
  const things = ({ kind, uid, externalName }: Target): readonly FakeThing[] =>
    system.things(kind).filter((thing) => thing.owner === uid || thing.name === externalName)
  const one = (target: Target): FakeThing => {
    const [thing] = things(target)
    if (thing === undefined) throw new Error(`There is no ${target.kind} ${target.externalName}.`)
    return thing
  }
  return {
    ids: async (target) => things(target).map(({ id }) => id),
    digest: async (target) => things(target).map(({ name, fields }) => ({ name, fields })),
    remove: async (target) => {
      for (const thing of things(target)) system.removeByHand(thing)
    },
    change: async (target) => {
      const thing = one(target)
      system.changeByHand(thing, { fields: { ...thing.fields, size: 99 } })
    },
    make: async ({ kind, externalName }) => {
      system.createByHand(kind, externalName, { size: 2, tags: { team: 'a' } })
    },
    fill: async (target, isFull) => system.changeByHand(one(target), { items: isFull ? 3 : 0 }),
  }
}

function credential(token: string): Secret {
  const data = { token: Buffer.from(token).toString('base64') }
  return { apiVersion: 'v1', kind: 'Secret', metadata: CREDENTIAL, type: 'Opaque', data }
}

async function setToken(client: Client, token: string): Promise<void> {
  const body: JsonObject = { data: { token: Buffer.from(token).toString('base64') } }
  await client.patch(secrets, CREDENTIAL, { type: 'merge', body })
}
