import type { Json, JsonObject, Kind, KubeObject } from '@orrery/api'
import { findCondition, isNotFound } from '@orrery/api'
import { managedKind } from '../kinds.ts'
import type { ManagedKind, ManagedObject } from '../managed.ts'
import { annotations } from '../managed.ts'
import { lateUntil } from '../safety.ts'
import type { ConformanceWorld, KindCase, Target } from './harness.ts'
import type { Life } from './stage.ts'
import { until } from './stage.ts'

/** Two looks of a manager after which nothing more is to be expected of a change. */
const SETTLED_LOOKS = 2

/** One managed object of a test, from its creation to its end. */
export class Subject {
  readonly kind: ManagedKind
  readonly name: string
  readonly world: ConformanceWorld
  readonly #case: KindCase
  readonly #maxLateExecutionMs: number
  #last: ManagedObject | undefined

  constructor(world: ConformanceWorld, kindCase: KindCase, name: string) {
    const definition = world.provider.kinds.find(({ kind }) => kind === kindCase.kind)
    if (definition === undefined) throw new Error(`The provider has no kind ${kindCase.kind}.`)
    this.#maxLateExecutionMs = definition.maxLateExecutionMs
    this.kind = managedKind(world.provider.group, definition)
    this.world = world
    this.name = name
    this.#case = kindCase
  }

  get key(): { readonly namespace: string; readonly name: string } {
    return { namespace: this.world.namespace, name: this.name }
  }

  get defaultExternalName(): string {
    return this.#case.externalName?.(this.name) ?? this.name
  }

  async create(
    options: { readonly spec?: JsonObject; readonly annotations?: Readonly<Record<string, string>> } = {},
  ): Promise<void> {
    const { group, version, kind } = this.kind
    const spec = { spec: { ...this.#case.spec, forProvider: this.#case.forProvider, ...options.spec } }
    const object: KubeObject = {
      apiVersion: `${group}/${version}`,
      kind,
      metadata: { ...this.key, ...(options.annotations === undefined ? {} : { annotations: options.annotations }) },
      ...spec,
    }
    await this.world.client.create<KubeObject>(addressOf(this.kind), object)
  }

  async find(): Promise<ManagedObject | undefined> {
    this.#last = await this.world.client.find(this.kind, this.key)
    return this.#last
  }

  async get(): Promise<ManagedObject> {
    const found = await this.find()
    if (found === undefined) throw new Error(`${this.kind.kind} ${this.name} does not exist.`)
    return found
  }

  async target(): Promise<Target> {
    const { metadata } = await this.get()
    const externalName = metadata.annotations?.[annotations.externalName] ?? this.defaultExternalName
    return { ...this.key, kind: this.kind.kind, uid: metadata.uid ?? '', externalName }
  }

  /** A change by its user. */
  async patch(body: Json): Promise<void> {
    await this.world.client.patch(this.kind, this.key, { type: 'merge', body })
  }

  async remove(): Promise<void> {
    try {
      await this.world.client.delete(this.kind, this.key)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  async until(what: string, holds: (object: ManagedObject) => boolean): Promise<ManagedObject> {
    const described = `${this.kind.kind} ${this.name} ${what}`
    return await until(
      this.world,
      described,
      async () => {
        const object = await this.#look()
        return object !== undefined && holds(object) ? object : undefined
      },
      () => this.#last?.status,
    )
  }

  /** Usable, and in agreement with its current spec. */
  async untilReady(): Promise<ManagedObject> {
    return await this.until('to be ready', (object) => {
      const { generation } = object.metadata
      const current = (type: string) => {
        const condition = findCondition(object.status?.conditions, type)
        return condition?.status === 'True' && condition.observedGeneration === generation
      }
      return current('Ready') && current('UpToDate')
    })
  }

  async untilReason(type: 'Ready' | 'Synced' | 'UpToDate', reason: string): Promise<ManagedObject> {
    return await this.until(
      `to have ${type} with reason ${reason}`,
      (object) => findCondition(object.status?.conditions, type)?.reason === reason,
    )
  }

  async untilGone(): Promise<void> {
    await until(
      this.world,
      `${this.kind.kind} ${this.name} to be gone`,
      async () => ((await this.#look()) === undefined ? true : undefined),
      () => this.#last?.status,
    )
  }

  /** Asks for a look now, and waits until it is over. Returns what the manager did in it. */
  async look(life: Life): Promise<{ readonly sends: number; readonly writes: number }> {
    const { clock, lookEveryMs } = this.world
    const { gate } = life
    const before = { sends: gate.sends, writes: gate.writes }
    const enough = gate.observes + SETTLED_LOOKS
    for (let i = 0; gate.observes < enough; i += 1) {
      const seen = gate.observes
      await this.patch({ metadata: { annotations: { [annotations.reconcileAt]: `${clock.now()}-${i}` } } })
      await until(this.world, 'another look outside', async () => (gate.observes > seen ? true : undefined))
    }
    const lastMono = clock.mono()
    await until(this.world, 'its end', async () => (clock.mono() > lastMono + 3 * lookEveryMs ? true : undefined))
    return { sends: gate.sends - before.sends, writes: gate.writes - before.writes }
  }

  /** Looks at the object, and answers what only a person can: what an unanswered call came to. */
  async #look(): Promise<ManagedObject | undefined> {
    const object = await this.find()
    const { attempt } = object?.status ?? {}
    if (attempt === undefined || object?.metadata.annotations?.[annotations.settle] !== undefined) return object
    if (findCondition(object?.status?.conditions, 'Ready')?.reason !== 'OutcomeUnknown') return object
    // As a person must: not before nothing late can still arrive.
    if (this.world.clock.now() < lateUntil(attempt, this.#maxLateExecutionMs)) return object
    const [made] = await this.world.outside.ids(await this.target())
    const answer = made === undefined ? 'retry' : `adopt=${made}`
    await this.patch({ metadata: { annotations: { [annotations.settle]: `${attempt.id}:${answer}` } } })
    return object
  }
}

/** The same kind for objects that no server has filled in yet. */
function addressOf({ group, version, kind, plural, singular, namespaced }: ManagedKind): Kind {
  return { group, version, kind, plural, singular, namespaced }
}
