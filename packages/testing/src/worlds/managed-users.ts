import type { KubeObject, Secret } from '@orrery/api'
import { ApiError, customResourceDefinitions, isNotFound, namespaces, secrets } from '@orrery/api'
import type { Client } from '@orrery/client'
import { ConnectionError } from '@orrery/client'
import type { ManagedKind, ManagedObject } from '@orrery/provider'
import { annotations, managedKind, providerConfigKind } from '@orrery/provider'
import { FAKE_GROUP, fakeProvider } from '../fake-provider.ts'
import type { FakeSystem, FakeThing } from '../fake-system.ts'
import type { Simulation } from '../simulation.ts'

/** Of namespace `b` an instance is the way to the system, of `a` a Secret. */
export const NAMESPACES = ['a', 'b'] as const
export type NamespaceName = (typeof NAMESPACES)[number]
/** Objects with this ending leave alone, or only look at, what they stand for. */
export const ORPHAN = '-orphan'
export const OBSERVE = '-observe'
const NAMES_PER_KIND = 3
const CREDENTIAL = 'credential'
const INSTANCE = 'pg'
const FOREIGN_KINDS = ['Topic', 'Bucket', 'Table', 'Cluster'] as const

/** What happens to a world that its checker must know of. */
export interface Happened {
  /** Times at which all objects of a kind were orphaned. */
  readonly kindDeletedAtMono: Map<string, number>
  /** Things that are not ours, as they must stay. */
  readonly foreign: Map<FakeThing, string>
  /** Hand edits, removals and edits of specs: each may cause a mutation. */
  disturbances: number
  /** How often a manager was asleep with its work half done. */
  sleeps: number
}

/** The people around a world: they create, edit and delete objects, make mistakes, and touch the system by hand. */
export class ManagedUsers {
  readonly kinds: ReadonlyMap<string, ManagedKind>
  readonly happened: Happened = { kindDeletedAtMono: new Map(), foreign: new Map(), disturbances: 0, sleeps: 0 }
  readonly #simulation: Simulation
  readonly #system: FakeSystem
  readonly #client: Client
  readonly #mistakes: number
  readonly #hands: number

  constructor(options: { readonly simulation: Simulation; readonly system: FakeSystem; readonly client: Client }) {
    this.#simulation = options.simulation
    this.#system = options.system
    this.#client = options.client
    const { kinds } = fakeProvider(options.system)
    this.kinds = new Map(kinds.map((kind) => [kind.kind, managedKind(FAKE_GROUP, kind)]))
    this.#mistakes = this.#simulation.drawFault('mistakes', 0.05)
    this.#hands = this.#simulation.drawFault('hands', 0.3)
  }

  async start(): Promise<void> {
    for (const kind of FOREIGN_KINDS) {
      const thing = this.#system.createByHand(kind, `foreign-${kind.toLowerCase()}`, { size: 77 })
      this.happened.foreign.set(thing, JSON.stringify(thing.fields))
    }
    for (const namespace of NAMESPACES) await this.setUp(namespace)
  }

  /** One action after the other while faults last. */
  async disturb(everyMs: number): Promise<void> {
    while (this.#simulation.phase === 'safety') {
      await this.#simulation.sleep(this.#simulation.random.next() * everyMs)
      if (this.#simulation.strikes(this.#mistakes)) await this.#mistake()
      else if (this.#simulation.strikes(this.#hands)) this.#touchByHand()
      else await this.#work()
    }
  }

  /** Makes what is missing of a namespace's way to the system. Idempotent. */
  async setUp(namespace: NamespaceName): Promise<void> {
    const token = Buffer.from(this.#system.token).toString('base64')
    await this.#try(() =>
      this.#client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace }, spec: {} }),
    )
    const reference =
      namespace === 'a' ? { credentialsSecretRef: { name: CREDENTIAL } } : { instanceRef: { name: INSTANCE } }
    const config = {
      apiVersion: `${FAKE_GROUP}/v1alpha1`,
      kind: 'ProviderConfig',
      metadata: { namespace, name: 'default' },
      spec: reference,
    }
    await this.#try(() => this.#client.create(providerConfigKind({ group: FAKE_GROUP, shortName: 'fake' }), config))
    if (namespace === 'a') {
      const metadata = { namespace, name: CREDENTIAL }
      const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: { token } }
      await this.#try(() => this.#client.create(secrets, secret))
      await this.#try(() => this.#client.patch(secrets, metadata, { type: 'merge', body: { data: { token } } }))
    } else {
      await this.#create('Server', namespace, INSTANCE, { writeConnectionSecretToRef: { name: 'pg-admin' } })
    }
  }

  /** Whether a namespace's way to the system is complete and not on its way out. */
  async stateOf(namespace: NamespaceName): Promise<'ready' | 'missing' | 'ending'> {
    const kind = providerConfigKind({ group: FAKE_GROUP, shortName: 'fake' })
    const server = this.kinds.get('Server')
    const found: readonly (KubeObject | undefined)[] = await Promise.all([
      this.#client.find(namespaces, { name: namespace }),
      this.#client.find(kind, { namespace, name: 'default' }),
      namespace === 'a' || server === undefined
        ? this.#client.find(secrets, { namespace, name: CREDENTIAL })
        : this.#client.find(server, { namespace, name: INSTANCE }),
    ])
    if (found.some((object) => object?.metadata.deletionTimestamp !== undefined)) return 'ending'
    return found.includes(undefined) ? 'missing' : 'ready'
  }

  /** Gives up everything in a namespace, so that what is on its way out can go. */
  async clear(namespace: NamespaceName): Promise<void> {
    for (const kind of this.kinds.values()) await this.#try(() => this.#client.deleteCollection(kind, { namespace }))
    const config = providerConfigKind({ group: FAKE_GROUP, shortName: 'fake' })
    await this.#try(() => this.#client.deleteCollection(config, { namespace }))
  }

  async list(): Promise<readonly ManagedObject[]> {
    const lists = await Promise.all([...this.kinds.values()].map((kind) => this.#listKind(kind)))
    return lists.flat()
  }

  /** Answers what only a person can: which ticket came of a call that was not answered. */
  async answer(objects: readonly ManagedObject[]): Promise<void> {
    for (const object of objects) {
      const { attempt } = object.status ?? {}
      const ready = object.status?.conditions?.find(({ type }) => type === 'Ready')
      const kind = this.kinds.get(object.kind)
      if (ready?.reason !== 'OutcomeUnknown' || attempt === undefined || kind === undefined) continue
      this.#simulation.sometimes('a person settled an unknown outcome')
      const made = this.#system.things(object.kind).find((thing) => thing.owner === object.metadata.uid)
      const answer = made === undefined ? 'retry' : `adopt=${made.id}`
      const body = { metadata: { annotations: { [annotations.settle]: `${attempt.id}:${answer}` } } }
      await this.#try(() => this.#client.patch(kind, keyOf(object), { type: 'merge', body }))
    }
  }

  /** Of a kind that was deleted and is not served again yet there is nothing. */
  async #listKind(kind: ManagedKind): Promise<readonly ManagedObject[]> {
    try {
      return (await this.#client.listAll(kind)).items
    } catch (error) {
      if (!isNotFound(error)) throw error
      return []
    }
  }

  async #work(): Promise<void> {
    const { random } = this.#simulation
    const [namespace, kind] = [random.pick(NAMESPACES), random.pick(WORKED)]
    const index = random.integer(0, NAMES_PER_KIND - 1)
    const ending = index < 2 ? '' : random.pick(['', ORPHAN, OBSERVE])
    const name = `${namespace}-${kind.toLowerCase()}-${index}${ending}`
    const served = this.kinds.get(kind)
    if (served === undefined) return
    const choice = random.integer(0, 3)
    if (choice < 2) await this.#create(kind, namespace, name, this.#specOf(kind, namespace))
    else if (choice === 2) await this.#try(() => this.#client.delete(served, { namespace, name }))
    else {
      this.happened.disturbances++
      const { forProvider } = this.#specOf(kind, namespace)
      await this.#try(() =>
        this.#client.patch(served, { namespace, name }, { type: 'merge', body: { spec: { forProvider } } }),
      )
    }
  }

  #specOf(kind: string, namespace: string) {
    const { random } = this.#simulation
    const region = random.chance(0.1) ? { region: random.pick(['x', 'y']) } : {}
    const references =
      kind === 'Login'
        ? { topicRef: { name: `${namespace}-topic-0` }, bucketsSelector: { matchLabels: { kind: 'Bucket' } } }
        : {}
    return { forProvider: { size: random.integer(1, 9), ...region, ...references } }
  }

  async #create(kind: string, namespace: string, name: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
    const { random } = this.#simulation
    const served = this.kinds.get(kind)
    if (served === undefined) return
    const isForeign = FOREIGN_KINDS.some((foreign) => foreign === kind) && random.chance(0.1)
    const shared = random.chance(0.1) ? `shared-${kind.toLowerCase()}` : undefined
    const external = kind === 'Server' ? undefined : isForeign ? `foreign-${kind.toLowerCase()}` : shared
    const policies = name.endsWith(ORPHAN)
      ? ['Observe', 'Create', 'Update']
      : name.endsWith(OBSERVE)
        ? ['Observe']
        : ['*']
    const object = {
      apiVersion: `${FAKE_GROUP}/v1alpha1`,
      kind,
      metadata: {
        namespace,
        name,
        labels: { kind },
        ...(external === undefined ? {} : { annotations: { [annotations.externalName]: external } }),
      },
      spec: { forProvider: {}, managementPolicies: policies, ...spec },
    }
    await this.#try(() => this.#client.create<KubeObject>({ ...served }, object))
  }

  #touchByHand(): void {
    const { random } = this.#simulation
    const ours = this.#system.things().filter((thing) => thing.owner !== undefined)
    const thing = ours[random.integer(0, Math.max(0, ours.length - 1))]
    if (thing === undefined) return
    this.happened.disturbances++
    if (thing.kind === 'Bucket' && random.chance(0.5)) this.#system.changeByHand(thing, { items: random.integer(0, 1) })
    else if (random.chance(0.5)) this.#system.changeByHand(thing, { fields: { ...thing.fields, size: 99 } })
    else if (thing.kind !== 'Server') this.#system.removeByHand(thing)
  }

  async #mistake(): Promise<void> {
    const { random } = this.#simulation
    const namespace = random.pick(NAMESPACES)
    const mistake = random.pick(['namespace', 'config', 'secret', 'kind', 'credential'])
    this.#simulation.sometimes(`mistake: ${mistake}`)
    this.#simulation.trace(`mistake ${mistake} ${namespace}`)
    this.happened.disturbances++
    switch (mistake) {
      case 'namespace':
        await this.#try(() => this.#client.delete(namespaces, { name: namespace }))
        break
      case 'config': {
        const kind = providerConfigKind({ group: FAKE_GROUP, shortName: 'fake' })
        await this.#try(() => this.#client.delete(kind, { namespace, name: 'default' }))
        break
      }
      case 'secret': {
        const name = namespace === 'a' ? CREDENTIAL : 'pg-admin'
        await this.#try(() => this.#client.delete(secrets, { namespace, name }))
        break
      }
      case 'kind': {
        const kind = random.pick(WORKED)
        const name = `${this.kinds.get(kind)?.plural}.${FAKE_GROUP}`
        this.happened.kindDeletedAtMono.set(kind, this.#simulation.clock.mono())
        await this.#try(() => this.#client.delete(customResourceDefinitions, { name }))
        break
      }
      case 'credential':
        this.#system.token = `secret-${random.integer(1, 1_000_000)}`
        if (random.chance(0.5)) await this.#simulation.sleep(random.next() * 30_000)
        await this.setUp('a')
        break
    }
  }

  /** Users go on when the server refuses or breaks off; what they wanted then did not, or may have, happened. */
  async #try(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error
    }
  }
}

/** Kinds whose safety rests on waiting and fencing come twice. */
const WORKED = [
  'Topic',
  'Bucket',
  'Volume',
  'Address',
  'Address',
  'Table',
  'Table',
  'Ticket',
  'Cluster',
  'Login',
] as const

const keyOf = ({ metadata }: ManagedObject) => ({ namespace: metadata.namespace ?? '', name: metadata.name })
