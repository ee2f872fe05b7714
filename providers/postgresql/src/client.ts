import type { Attempt, Send } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'
import pg from 'pg'
import { externalError, sqlState } from './errors.ts'
import { literal } from './sql.ts'

/** How to reach a server, from a ProviderConfig. */
export interface Address {
  readonly host: string
  readonly port: number
  /** Database that administrative statements run in. */
  readonly database: string
  readonly username: string
  readonly password: string | undefined
  readonly tls: 'disable' | 'require' | 'verify-ca' | 'verify-full'
  /** PEM. */
  readonly caCertificate: string | undefined
}

export type Row = Readonly<Record<string, unknown>>

const CONNECT_TIMEOUT_MS = 10_000
/** A statement of ours that takes longer is stuck behind a lock. */
const STATEMENT_TIMEOUT_MS = 60_000
const MAX_CONNECTIONS = 6
/** Connections to other databases than the administrative one, each of which would keep it from being dropped. */
const MAX_OTHER_CONNECTIONS = 2
const IDLE_MS = 5_000
/** An idle session of ours must not stand in the way of a DBA who renames, drops or copies a database. */
const OTHER_IDLE_MS = 100
/** Two seconds; what has not let go of a session by then is asked again by the next reconcile. */
const MAX_FENCE_LOOKS = 40
/** Application name of sessions that carry an effect; the fence ends them by it. */
const ATTEMPT_PREFIX = 'orrery:'

/**
 * Sessions with one server, pooled per database. Statements that only read run through `query`; each one that
 * changes something runs in a session named after its attempt, so that it can be ended from outside.
 */
export class PostgresClient {
  readonly address: Address
  readonly #pools = new Map<string, pg.Pool>()
  #closed = false

  constructor(address: Address) {
    this.address = address
  }

  /** Rows of a statement that changes nothing. */
  async query(
    sql: string,
    options: { readonly values?: readonly unknown[]; readonly database?: string; readonly signal: AbortSignal },
  ): Promise<readonly Row[]> {
    const session = await this.#session(options.database ?? this.address.database, options.signal)
    try {
      const result = await answered(session.query<Row>(sql, [...(options.values ?? [])]), options.signal)
      session.release()
      return result.rows
    } catch (error) {
      session.release(sqlState(error) === undefined)
      throw externalError(error, { sent: false, doing: 'Reading from the server failed' })
    }
  }

  /** Runs the one mutation of an effect. Several statements form one transaction, as the simple protocol has it. */
  async mutate(
    sql: string,
    options: {
      readonly attempt: Attempt
      readonly send: Send
      readonly database?: string
      readonly doing: string
      readonly signal: AbortSignal
    },
  ): Promise<void> {
    const session = await this.#session(options.database ?? this.address.database, options.signal)
    try {
      await session.query(`SET application_name = ${literal(ATTEMPT_PREFIX + options.attempt.id)}`)
    } catch (error) {
      session.release(true)
      throw externalError(error, { sent: false, doing: options.doing })
    }
    let broken = true
    try {
      await options.send(async () => {
        try {
          await answered(session.query(sql), options.signal)
        } catch (error) {
          throw externalError(error, { sent: true, doing: options.doing })
        }
      })
      broken = false
    } catch (error) {
      broken = error instanceof ExternalError && error.class === 'unknown'
      throw error
    } finally {
      session.release(broken)
    }
  }

  /** Ends the session that carried an attempt, and waits until the server has let go of it. */
  async fence(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const name = ATTEMPT_PREFIX + attempt.id
    const rows = await this.query(
      'SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()',
      { values: [name], signal },
    )
    if (rows.length === 0) return
    await this.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()',
      { values: [name], signal },
    )
    for (let looks = 0; looks < MAX_FENCE_LOOKS; looks += 1) {
      const left = await this.query('SELECT FROM pg_stat_activity WHERE application_name = $1', {
        values: [name],
        signal,
      })
      if (left.length === 0) return
      await this.query('SELECT pg_sleep(0.05)', { signal })
    }
    throw new ExternalError({
      class: 'transient',
      reason: 'Settling',
      message: 'A session that ran an earlier statement is still ending; it is looked for again.',
    })
  }

  /** Logs in as a client would, with somebody's own credentials. Throws `ExternalError`. */
  async login(
    as: { readonly database: string; readonly username: string; readonly password: string },
    signal: AbortSignal,
  ): Promise<void> {
    const client = new pg.Client(this.#settings({ ...this.address, ...as }))
    client.on('error', ignoreLateError)
    const abort = () => void client.end().catch(ignoreLateError)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await client.connect()
      await client.query('SELECT 1')
    } catch (error) {
      throw externalError(error, { sent: false, doing: `Logging in as ${as.username} failed` })
    } finally {
      signal.removeEventListener('abort', abort)
      await client.end().catch(ignoreLateError)
    }
  }

  /** Lets go of a database that is about to be dropped. */
  async leave(database: string): Promise<void> {
    const pool = this.#pools.get(database)
    if (pool === undefined || database === this.address.database) return
    this.#pools.delete(database)
    await pool.end()
  }

  async close(): Promise<void> {
    this.#closed = true
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.all(pools.map((pool) => pool.end()))
  }

  async #session(database: string, signal: AbortSignal): Promise<pg.PoolClient> {
    signal.throwIfAborted()
    if (this.#closed)
      throw new ExternalError({
        class: 'transient',
        reason: 'ConfigChanged',
        message: 'The connection was replaced; the object is taken up again.',
      })
    try {
      return await this.#pool(database).connect()
    } catch (error) {
      throw externalError(error, {
        sent: false,
        doing: `Connecting to ${this.address.host}:${this.address.port}/${database} as ${this.address.username} failed`,
      })
    }
  }

  #pool(database: string): pg.Pool {
    const existing = this.#pools.get(database)
    if (existing !== undefined) return existing
    const administrative = database === this.address.database
    const pool = new pg.Pool({
      ...this.#settings({ ...this.address, database }),
      max: administrative ? MAX_CONNECTIONS : MAX_OTHER_CONNECTIONS,
      idleTimeoutMillis: administrative ? IDLE_MS : OTHER_IDLE_MS,
    })
    pool.on('error', ignoreLateError)
    // The pool listens to idle connections only; one that breaks while it is in use would end the process.
    pool.on('connect', (connection) => connection.on('error', ignoreLateError))
    // Only databases in use have a pool; there may be thousands of them.
    pool.on('remove', () => {
      if (!administrative && pool.totalCount === 0 && pool.waitingCount === 0 && this.#pools.get(database) === pool) {
        this.#pools.delete(database)
      }
    })
    this.#pools.set(database, pool)
    return pool
  }

  #settings(to: {
    readonly database: string
    readonly username: string
    readonly password: string | undefined
  }): pg.ClientConfig {
    const { address } = this
    return {
      host: address.host,
      port: address.port,
      database: to.database,
      user: to.username,
      password: to.password,
      application_name: 'orrery',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      ssl: tlsSettings(address),
    }
  }
}

/**
 * The answer, or the signal's reason. A server that stands still, or a network that swallows everything, answers
 * never: whoever waits lets go of the session in time, and the session is closed, or a few would take the whole pool.
 */
async function answered<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([answer, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function tlsSettings(address: Address): pg.ClientConfig['ssl'] {
  const ca = address.caCertificate === undefined ? {} : { ca: address.caCertificate }
  switch (address.tls) {
    case 'disable':
      return false
    case 'require':
      return { rejectUnauthorized: false }
    case 'verify-ca':
      return { rejectUnauthorized: true, checkServerIdentity: () => undefined, ...ca }
    case 'verify-full':
      return { rejectUnauthorized: true, ...ca }
  }
}

// A pooled connection that breaks while idle is replaced by the pool; whoever uses one hears of it by its query.
function ignoreLateError(): void {}
