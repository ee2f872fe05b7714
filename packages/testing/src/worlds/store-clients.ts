import { type Revision, revision, type StoredValue, StoreError, type WriteOutcome } from '@orrery/hub/store'
import type { RegisterOperation } from '../linearizability.ts'
import type { Simulation } from '../simulation.ts'
import { GoneError, type Incarnation, type StoreProcess } from './store-process.ts'

/** Few, so that clients get in each other's way. */
const KEYS = 10

interface Known {
  readonly revision: Revision
  readonly version: number
}

const absent: Known = { revision: revision(0), version: 0 }

/** Clients that read, write and delete ten keys, and remember what they were answered. */
export class StoreClients {
  readonly #simulation: Simulation
  readonly #process: StoreProcess
  readonly #operations = new Map<string, RegisterOperation[]>()
  #lastVersion = 0
  /** Orders calls and returns of the same virtual time. */
  #moment = 0
  #isStopping = false
  #running = 0

  constructor(simulation: Simulation, process: StoreProcess) {
    this.#simulation = simulation
    this.#process = process
  }

  operations(): IterableIterator<[string, readonly RegisterOperation[]]> {
    return this.#operations.entries()
  }

  async run(count: number): Promise<void> {
    const pauseMs = this.#simulation.draw('clientPauseMs', 50, 400)
    await Promise.all(Array.from({ length: count }, () => this.#client(pauseMs)))
  }

  stop(): void {
    this.#isStopping = true
  }

  get isStopped(): boolean {
    return this.#isStopping && this.#running === 0
  }

  async #client(pauseMs: number): Promise<void> {
    const known = new Map<string, Known>()
    this.#running++
    while (!this.#isStopping) {
      await this.#simulation.sleep(this.#simulation.random.next() * pauseMs)
      const key = `/core/things/${this.#simulation.random.integer(0, 1)}/${this.#simulation.random.integer(0, KEYS / 2 - 1)}`
      await this.#act(key, known)
    }
    this.#running--
  }

  async #act(key: string, known: Map<string, Known>): Promise<void> {
    const { random } = this.#simulation
    const calledAt = this.#moment++
    try {
      if (random.chance(0.3)) {
        const found = await this.#process.ask(({ store }) => store.get(key))
        known.set(key, knownOf(found))
        this.#record(key, { type: 'read', saw: knownOf(found).version, calledAt, returnedAt: this.#moment++ })
      } else if (random.chance(0.05)) await this.#process.ask((incarnation) => this.#page(incarnation))
      else await this.#write(key, known, calledAt)
    } catch (error) {
      known.delete(key)
      if (!(error instanceof GoneError || error instanceof StoreError)) throw error
      this.#simulation.trace(`${key} ${error instanceof StoreError ? error.kind : 'gone'}`)
    }
  }

  async #write(key: string, known: Map<string, Known>, calledAt: number): Promise<void> {
    const { random } = this.#simulation
    const expected = known.get(key) ?? absent
    const isDelete = expected.version !== 0 && random.chance(0.3)
    const version = isDelete ? 0 : ++this.#lastVersion
    const value = isDelete
      ? undefined
      : Buffer.from(JSON.stringify({ metadata: { name: 'x' }, version, pad: 'p'.repeat(random.integer(0, 200)) }))
    const request = { key, expected: expected.revision, ...(value === undefined ? {} : { value }) }
    const write = { type: 'write', expected: expected.version, version, calledAt } as const
    let outcome: WriteOutcome
    try {
      outcome = await this.#process.ask(({ store, cache }) => (random.chance(0.5) ? store : cache).write(request))
    } catch (error) {
      // Full and closed are certain: nothing was written.
      if (!(error instanceof StoreError && ['full', 'closed'].includes(error.kind)) && !isDown(error)) {
        this.#simulation.sometimes('outcome unknown')
        this.#record(key, { ...write, outcome: 'unknown', returnedAt: Number.POSITIVE_INFINITY })
      }
      throw error
    }
    const returnedAt = this.#moment++
    if (outcome.state === 'written') {
      if (isDelete && this.#process.isDiskFull) this.#simulation.sometimes('delete on a full disk')
      known.set(key, isDelete ? absent : { revision: outcome.revision, version })
      this.#record(key, { ...write, outcome: 'written', returnedAt })
      return
    }
    this.#simulation.sometimes('conflict')
    const current = knownOf(outcome.current)
    known.set(key, current)
    this.#record(key, { type: 'refused', expected: expected.version, saw: current.version, calledAt, returnedAt })
  }

  /** A list in two pages must be one snapshot. */
  async #page({ cache, store }: Incarnation): Promise<void> {
    const prefix = '/core/things/'
    const first = await cache.list({ prefix, match: {}, limit: 3 })
    const whole = await store.list({ prefix, at: first.revision })
    await this.#simulation.sleep(this.#simulation.random.next() * 1000)
    if (first.next === undefined) return
    const rest = await cache.list({ prefix, match: {}, at: first.revision, after: first.next })
    this.#simulation.sometimes('page of an old revision')
    const paged = [...first.items, ...rest.items].map((item) => `${item.key} ${item.revision}`)
    const listed = whole.items.map((item) => `${item.key} ${item.modRevision}`)
    this.#simulation.always(paged.join() === listed.join(), 'pages of one revision are one snapshot')
  }

  #record(key: string, operation: RegisterOperation): void {
    this.#simulation.trace(`${key} ${JSON.stringify(operation)}`)
    const known = this.#operations.get(key)
    if (known === undefined) this.#operations.set(key, [operation])
    else known.push(operation)
  }
}

/** Refused before anything was sent. */
const isDown = (error: unknown): boolean => error instanceof GoneError && error.message === 'The process is down'

function knownOf(stored: StoredValue | undefined): Known {
  if (stored === undefined) return absent
  const parsed: unknown = JSON.parse(Buffer.from(stored.value).toString())
  if (typeof parsed !== 'object' || parsed === null || !('version' in parsed) || typeof parsed.version !== 'number') {
    throw new TypeError(`Not a value that a client wrote: ${stored.key}`)
  }
  return { revision: stored.modRevision, version: parsed.version }
}
