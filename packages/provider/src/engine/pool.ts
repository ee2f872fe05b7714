import { createHash } from 'node:crypto'
import type { Clock, Random } from '@orrery/api'
import { NotSentError } from '../errors.ts'
import type { ProviderDefinition } from '../provider.ts'
import { Budget } from './budget.ts'

/** An open way to a system, shared by all objects of one ProviderConfig. */
export interface Connection {
  readonly client: unknown
  readonly budget: Budget
  /** Names the system, for claims. */
  readonly identity: string
}

interface Open {
  readonly fingerprint: string
  readonly connection: Connection
  users: number
  retired: boolean
  isClosed: boolean
}

/**
 * One client per ProviderConfig, replaced when the config or its credentials change. A replaced client is
 * closed when its last call has returned. Bounded by the number of ProviderConfigs.
 */
export class ConnectionPool {
  readonly #provider: ProviderDefinition
  readonly #clock: Clock
  readonly #random: Random
  readonly #open = new Map<string, Open>()
  readonly #byConnection = new WeakMap<Connection, Open>()
  readonly #closing = new Set<Promise<void>>()

  constructor(options: { readonly provider: ProviderDefinition; readonly clock: Clock; readonly random: Random }) {
    this.#provider = options.provider
    this.#clock = options.clock
    this.#random = options.random
  }

  /** `id` is the config's uid. Throws what the provider's `connect` throws. */
  get(
    id: string,
    input: { readonly config: unknown; readonly credentials: Readonly<Record<string, string>> },
  ): Connection {
    const fingerprint = createHash('sha256')
      .update(JSON.stringify([input.config, input.credentials]))
      .digest('base64')
    const open = this.#open.get(id)
    if (open?.fingerprint === fingerprint) return open.connection
    if (open !== undefined) this.#retire(id, open)
    const connection: Connection = {
      client: this.#provider.connect(input),
      budget: new Budget({
        maxConcurrent: this.#provider.maxConcurrentCalls,
        clock: this.#clock,
        random: this.#random,
      }),
      identity: this.#provider.identify(input),
    }
    const opened: Open = { fingerprint, connection, users: 0, retired: false, isClosed: false }
    this.#open.set(id, opened)
    this.#byConnection.set(connection, opened)
    return connection
  }

  /**
   * Runs one call over a connection, which stays open until it has returned. Throws `NotSentError` when the
   * connection was replaced before: the caller looks up the config again.
   */
  async use<T>(
    connection: Connection,
    options: { readonly priority: 'change' | 'resync'; readonly signal: AbortSignal },
    call: () => Promise<T>,
  ): Promise<T> {
    const open = this.#byConnection.get(connection)
    if (open === undefined || open.isClosed) {
      throw new NotSentError('The ProviderConfig or its credentials changed; the call is made over the new connection.')
    }
    open.users += 1
    try {
      return await connection.budget.run(options, call)
    } finally {
      open.users -= 1
      if (open.retired && open.users === 0) this.#close(open)
    }
  }

  /** Closes the connection of a config that is gone. */
  drop(id: string): void {
    const open = this.#open.get(id)
    if (open !== undefined) this.#retire(id, open)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [id, open] of this.#open) this.#retire(id, open)
    await Promise.all(this.#closing)
  }

  #retire(id: string, open: Open): void {
    this.#open.delete(id)
    open.retired = true
    if (open.users === 0) this.#close(open)
  }

  #close(open: Open): void {
    open.isClosed = true
    const closing = this.#provider.close(open.connection.client).finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}
