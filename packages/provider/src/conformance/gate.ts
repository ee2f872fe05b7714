import type { Clock } from '@orrery/api'
import type { Client } from '@orrery/client'
import { ExternalError } from '../errors.ts'
import type { EffectContext, KindDefinition } from '../kind.ts'
import type { ProviderDefinition } from '../provider.ts'
import type { EffectName } from '../safety.ts'

/** What a manager that was killed still tries is refused with this. */
export class KilledError extends Error {
  override readonly name = 'KilledError'
}

/** What becomes of the next external call. */
export type SendFault =
  /** It never arrives, and nobody says so. */
  | { readonly type: 'swallowed' }
  /** It is executed, its answer never arrives. */
  | { readonly type: 'lost' }
  /** The caller gives up at once, and it is executed after this time. */
  | { readonly type: 'late'; readonly afterMs: number }

/** One external call. */
export interface SentCall {
  readonly kind: string
  readonly effect: EffectName
  readonly externalName: string
}

/**
 * Stands between one manager and everything it may change: each write to the API and each external call is two
 * points, before and after, at any of which the manager can be killed or paused. What it only reads passes.
 */
export class Gate {
  /** Points passed. */
  points = 0
  /** External calls that were let out. */
  sends = 0
  /** Writes to the API, but those that keep a lease. */
  writes = 0
  /** Looks outside. */
  observes = 0
  /** The external calls that were let out, in their order, by what they are for. */
  readonly sent: SentCall[] = []
  readonly #clock: Clock
  readonly #killAt: number
  readonly #killed = new AbortController()
  #fault: SendFault | undefined
  #pauseAtAttempt = false
  #paused: PromiseWithResolvers<void> | undefined

  /** Kills at the `killAt`-th point, counted from 1; never when it is 0. */
  constructor(options: { readonly clock: Clock; readonly killAt?: number }) {
    this.#clock = options.clock
    this.#killAt = options.killAt ?? 0
  }

  /** Aborts when the manager is killed. */
  get killed(): AbortSignal {
    return this.#killed.signal
  }

  get isPaused(): boolean {
    return this.#paused !== undefined
  }

  kill(): void {
    this.#killed.abort(new KilledError('The manager was killed.'))
    this.resume()
  }

  /** The next external call goes wrong. */
  failNextSend(fault: SendFault): void {
    this.#fault = fault
  }

  /** The manager falls asleep when an attempt has been recorded and its answer has not been heard. */
  pauseAtAttempt(): void {
    this.#pauseAtAttempt = true
  }

  resume(): void {
    this.#paused?.resolve()
    this.#paused = undefined
  }

  client(client: Client): Client {
    const write = <T>(run: () => Promise<T>, isCounted = true) => {
      if (isCounted) this.writes += 1
      return this.#pass(run)
    }
    const isLease = (kind: { readonly plural: string }) => kind.plural === 'leases'
    return {
      ...client,
      get: (kind, key, options) => this.#read(() => client.get(kind, key, options)),
      find: (kind, key, options) => this.#read(() => client.find(kind, key, options)),
      create: (kind, object, options) => write(() => client.create(kind, object, options), !isLease(kind)),
      update: (kind, object, options) =>
        isLease(kind)
          ? this.#read(() => client.update(kind, object, options))
          : write(() => client.update(kind, object, options)),
      patch: (kind, key, patch, options) => write(() => client.patch(kind, key, patch, options)),
      apply: (kind, object, options) => write(() => client.apply(kind, object, options)),
      delete: (kind, key, options) => write(() => client.delete(kind, key, options)),
      updateStatus: (kind, object, options) =>
        write(async () => {
          const written = await client.updateStatus(kind, object, options)
          if (this.#pauseAtAttempt && hasAttempt(object)) {
            this.#pauseAtAttempt = false
            this.#paused = Promise.withResolvers<void>()
          }
          return written
        }),
    }
  }

  provider(provider: ProviderDefinition): ProviderDefinition {
    return { ...provider, kinds: provider.kinds.map((kind) => this.#kind(kind)) }
  }

  #kind(kind: KindDefinition): KindDefinition {
    const watched = (context: EffectContext): EffectContext => {
      const { externalName, attempt } = context
      const sent: SentCall = { kind: kind.kind, effect: attempt.effect, externalName }
      return { ...context, send: async (call) => await this.#pass(() => context.send(() => this.#send(sent, call))) }
    }
    return {
      ...kind,
      observe: async (context) => {
        this.observes += 1
        return await kind.observe(context)
      },
      create: async (context) => await kind.create(watched(context)),
      update: async (context) => await kind.update(watched(context)),
      delete: async (context) => await kind.delete(watched(context)),
    }
  }

  async #send<T>(sent: SentCall, call: () => Promise<T>): Promise<T> {
    this.sends += 1
    this.sent.push(sent)
    const fault = this.#fault
    this.#fault = undefined
    if (fault === undefined) return await call()
    if (fault.type === 'lost') await call()
    if (fault.type === 'late') {
      this.#clock.schedule(fault.afterMs, () => {
        call().catch((error: unknown) => {
          // Nobody hears a refusal of what was given up.
          if (!(error instanceof ExternalError)) throw error
        })
      })
    }
    throw new ExternalError({ class: 'unknown', reason: 'NoAnswer', message: 'The system did not answer.' })
  }

  async #read<T>(run: () => Promise<T>): Promise<T> {
    this.#killed.signal.throwIfAborted()
    await this.#paused?.promise
    const result = await run()
    await this.#paused?.promise
    this.#killed.signal.throwIfAborted()
    return result
  }

  async #pass<T>(run: () => Promise<T>): Promise<T> {
    this.#point()
    await this.#paused?.promise
    try {
      return await run()
    } finally {
      await this.#paused?.promise
      this.#point()
    }
  }

  #point(): void {
    this.#killed.signal.throwIfAborted()
    this.points += 1
    if (this.points !== this.#killAt) return
    this.kill()
    this.#killed.signal.throwIfAborted()
  }
}

function hasAttempt(object: object): boolean {
  const status: unknown = 'status' in object ? object.status : undefined
  return typeof status === 'object' && status !== null && 'attempt' in status && status.attempt !== undefined
}
