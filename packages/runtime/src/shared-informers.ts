import type { Clock, Kind, KubeObject, Logger, Random } from '@orrery/api'
import { apiVersionOf } from '@orrery/api'
import type { Client, IndexFunction, SharedInformer } from '@orrery/client'
import { createDeadline, createInformer } from '@orrery/client'
import type { Informers } from './controller.ts'

/** One informer of the manager, as health and metrics see it. */
export interface InformerState {
  readonly name: string
  readonly informer: SharedInformer<KubeObject>
}

interface Shared {
  readonly name: string
  readonly informer: SharedInformer<KubeObject>
  readonly stop: AbortController
  users: number
  running: Promise<void> | undefined
}

export interface SharedInformersOptions {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Hears of an informer that ended with an error, which is a defect: broken connections never end one. */
  readonly onFailure: (error: unknown) => void
}

/** One informer per kind and form, started with the first user and stopped with the last. */
export class SharedInformers implements Informers {
  readonly #options: SharedInformersOptions
  readonly #shared = new Map<string, Shared>()
  #signal: AbortSignal | undefined

  constructor(options: SharedInformersOptions) {
    this.#options = options
  }

  informer<T extends KubeObject>(
    kind: Kind<T>,
    indexes: Readonly<Record<string, IndexFunction<T>>> = {},
    options: { readonly metadataOnly?: boolean } = {},
  ): SharedInformer<T> {
    const name = nameOf(kind, options.metadataOnly)
    let shared = this.#shared.get(name)
    if (shared === undefined) {
      const { client, clock, random, log } = this.#options
      const informer = createInformer({ client, kind, clock, random, log, ...options })
      shared = { name, informer, stop: new AbortController(), users: 0, running: undefined }
      this.#shared.set(name, shared)
    }
    shared.users++
    // The map is keyed by kind, and a kind has one object type: what comes out is what went in.
    const informer = shared.informer as SharedInformer<T>
    informer.addIndexes(indexes)
    this.#start(shared)
    return informer
  }

  async release(kind: Kind, options: { readonly metadataOnly?: boolean } = {}): Promise<void> {
    const name = nameOf(kind, options.metadataOnly)
    const shared = this.#shared.get(name)
    if (shared === undefined || --shared.users > 0) return
    this.#shared.delete(name)
    shared.stop.abort(new Error(`Nobody uses the informer of ${name} any more.`))
    await shared.running
  }

  /** Starts what was asked for and will be; everything ends with `signal`. */
  start(signal: AbortSignal): void {
    this.#signal = signal
    for (const shared of this.#shared.values()) this.#start(shared)
  }

  /** Resolves when every informer has ended. */
  async settled(): Promise<void> {
    for (const { running } of this.#shared.values()) await running
  }

  states(): readonly InformerState[] {
    return [...this.#shared.values()].map(({ name, informer }) => ({ name, informer }))
  }

  #start(shared: Shared): void {
    const signal = this.#signal
    if (signal === undefined || shared.running !== undefined) return
    shared.running = this.#supervise(shared, signal)
  }

  async #supervise(shared: Shared, signal: AbortSignal): Promise<void> {
    using scope = createDeadline({ clock: this.#options.clock, signal })
    const stop = () => scope.abort(shared.stop.signal.reason)
    shared.stop.signal.addEventListener('abort', stop, { once: true })
    try {
      await shared.informer.run(scope.signal)
    } catch (error) {
      this.#options.onFailure(error)
    }
  }
}

function nameOf(kind: Kind, metadataOnly: boolean | undefined): string {
  return `${kind.plural}.${apiVersionOf(kind)}${metadataOnly === true ? ' (metadata)' : ''}`
}
