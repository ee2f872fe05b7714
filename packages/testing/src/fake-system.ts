import type { Clock, Random } from '@orrery/api'
import { sleep } from '@orrery/api'
import type { OwnershipMark } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'

/**
 * A system outside, as controllers meet them: it answers late or never, executes what the caller has given
 * up, shows new things late, throttles, has outages, and people change it by hand. A ledger records every
 * mutation that really took place.
 */

/** What goes wrong, as probabilities per request, and the system's own slowness. */
export interface FakeFaults {
  /** A request never arrives. */
  readonly requestLost: number
  /** A request is executed, its answer never arrives. */
  readonly answerLost: number
  /** The caller gives up, and only then the request is executed. */
  readonly late: number
  readonly throttled: number
  readonly maxLatencyMs: number
}

/** How slow a system is with things of one kind, at most. */
export interface FakeNature {
  /** How long after it was given up a request may still be executed. */
  readonly lateMs: number
  /** New things are missing from lists for up to this long. */
  readonly listLagMs: number
  /** New things are not found by direct reads for up to this long. */
  readonly readLagMs: number
}

/** What a thing is like, apart from its name. */
export interface FakeFields {
  readonly size: number
  readonly region?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly topic?: string
  readonly buckets?: readonly string[]
}

export interface FakeThing {
  readonly id: string
  readonly kind: string
  readonly name: string
  fields: FakeFields
  secrets: Readonly<Record<string, string>>
  mark: OwnershipMark | null
  /** What it holds; deletion is refused while that is more than nothing, unless forced. */
  items: number
  readonly token: string | undefined
  /** For checkers only: uid of the object in whose name it was made; undefined: by hand. */
  readonly owner: string | undefined
  readonly finishedAtMono: number
  readonly readableAtMono: number
  readonly listedAtMono: number
}

/** One mutation that took place. */
export interface LedgerEntry {
  readonly effect: 'create' | 'update' | 'delete'
  readonly kind: string
  readonly id: string
  readonly name: string
  readonly by: 'request' | 'hand'
  readonly owner: string | undefined
  /** Attempt that the request named. */
  readonly attempt: string | undefined
  readonly atMono: number
}

/** Who asks, and until when the answer is of interest. */
export interface FakeCall {
  readonly kind: string
  readonly token: string | undefined
  readonly signal: AbortSignal
  /** Names the session that runs a mutation, for fences. */
  readonly attempt?: string
  /** For the ledger only: the object in whose name it asks. */
  readonly owner?: string
}

export interface FakeCreation {
  readonly name: string
  readonly fields: FakeFields
  readonly secrets: Readonly<Record<string, string>>
  readonly mark: OwnershipMark | null
  /** Names of this kind are unique; a second one is refused. */
  readonly isUnique: boolean
  /** A repetition with the same token makes no second thing. */
  readonly token: string | undefined
  /** How long the operation runs after it was accepted. */
  readonly durationMs: number
}

const NO_FAULTS: FakeFaults = {
  requestLost: 0,
  answerLost: 0,
  late: 0,
  throttled: 0,
  maxLatencyMs: 20,
}
const PROMPT: FakeNature = { lateMs: 0, listLagMs: 0, readLagMs: 0 }
/** Callers give a silent request up after this. */
export const GIVE_UP_MS = 2_000
const RETRY_AFTER_MS = 3_000

export class FakeSystem {
  readonly name: string
  /** Whoever has it may do everything that is not {@link denied}. Changing it rotates the credential. */
  token = 'secret'
  isReachable = true
  /** Verbs that the credential may not use. */
  readonly denied = new Set<'read' | 'create' | 'update' | 'delete'>()
  /** Every request is throttled while true. */
  isThrottling = false
  faults: FakeFaults
  readonly ledger: LedgerEntry[] = []
  readonly #things = new Map<string, FakeThing>()
  /** What a token made, also when it is gone. */
  readonly #byToken = new Map<string, FakeThing>()
  /** Mutations that were given up and are still to come, by attempt. */
  readonly #pending = new Map<string, Set<Disposable>>()
  /** How often the sessions of an attempt were ended. */
  readonly #fences = new Map<string, number>()
  readonly #nature: Readonly<Record<string, FakeNature>>
  readonly #clock: Clock
  readonly #random: Random
  #serial = 0

  constructor(options: {
    readonly name: string
    readonly clock: Clock
    readonly random: Random
    readonly faults?: Partial<FakeFaults>
    /** By kind; the others are prompt. */
    readonly nature?: Readonly<Record<string, FakeNature>>
  }) {
    this.name = options.name
    this.#clock = options.clock
    this.#random = options.random
    this.faults = { ...NO_FAULTS, ...options.faults }
    this.#nature = options.nature ?? {}
  }

  /** From now on only the system's own slowness is left: latency, lag. */
  heal(): void {
    const { maxLatencyMs } = this.faults
    this.faults = { ...NO_FAULTS, maxLatencyMs }
    this.isReachable = true
    this.isThrottling = false
    this.denied.clear()
  }

  /** Everything that exists, seen by nobody but the test. */
  things(kind?: string): readonly FakeThing[] {
    return [...this.#things.values()].filter((thing) => kind === undefined || thing.kind === kind)
  }

  createByHand(kind: string, name: string, fields: FakeFields): FakeThing {
    const creation = { name, fields, secrets: {}, mark: null, isUnique: false, token: undefined, durationMs: 0 }
    const thing = this.#make(kind, creation, undefined)
    this.#record('create', thing, { by: 'hand' })
    return thing
  }

  changeByHand(thing: FakeThing, change: Partial<Pick<FakeThing, 'fields' | 'secrets' | 'mark' | 'items'>>): void {
    Object.assign(thing, change)
    this.#record('update', thing, { by: 'hand' })
  }

  removeByHand(thing: FakeThing): void {
    this.#things.delete(thing.id)
    this.#record('delete', thing, { by: 'hand' })
  }

  async check(call: FakeCall): Promise<void> {
    await this.#request(call, 'read', () => undefined)
  }

  /** By id or name. A thing just made may not be found yet. */
  async read(call: FakeCall, by: { readonly id?: string; readonly name?: string }): Promise<FakeThing | undefined> {
    return await this.#request(call, 'read', () =>
      this.things(call.kind).find(
        (thing) =>
          (by.id === undefined || thing.id === by.id) &&
          (by.name === undefined || thing.name === by.name) &&
          thing.readableAtMono <= this.#clock.mono(),
      ),
    )
  }

  /** A list may lag behind. */
  async list(call: FakeCall): Promise<readonly FakeThing[]> {
    return await this.#request(call, 'read', () =>
      this.things(call.kind).filter((thing) => thing.listedAtMono <= this.#clock.mono()),
    )
  }

  /** Whether the operation that made a thing is over; undefined: there is no such operation. */
  async isFinished(call: FakeCall, id: string): Promise<boolean | undefined> {
    return await this.#request(call, 'read', () => {
      const thing = this.#things.get(id)
      return thing === undefined ? undefined : thing.finishedAtMono <= this.#clock.mono()
    })
  }

  async create(call: FakeCall, creation: FakeCreation): Promise<FakeThing> {
    return await this.#request(call, 'create', () => {
      const repeated = creation.token === undefined ? undefined : this.#byToken.get(creation.token)
      if (repeated !== undefined) return repeated
      if (creation.isUnique && this.things(call.kind).some((thing) => thing.name === creation.name)) {
        throw refusal('AlreadyExists', `${call.kind} ${creation.name} exists already.`)
      }
      const thing = this.#make(call.kind, creation, call.owner ?? '')
      if (thing.token !== undefined) this.#byToken.set(thing.token, thing)
      this.#record('create', thing, { by: 'request', attempt: call.attempt })
      return thing
    })
  }

  async update(
    call: FakeCall,
    id: string,
    change: Pick<FakeThing, 'fields' | 'secrets'> & { readonly mark?: OwnershipMark },
  ): Promise<void> {
    await this.#request(call, 'update', () => {
      const thing = this.#things.get(id)
      if (thing === undefined) throw refusal('NotFound', `There is no ${call.kind} ${id}.`)
      thing.fields = { ...thing.fields, ...change.fields }
      thing.secrets = { ...thing.secrets, ...change.secrets }
      thing.mark = change.mark ?? thing.mark
      this.#record('update', thing, { by: 'request', attempt: call.attempt })
    })
  }

  /** What is gone already counts as deleted. */
  async delete(call: FakeCall, id: string, how: { readonly force: boolean }): Promise<void> {
    await this.#request(call, 'delete', () => {
      const thing = this.#things.get(id)
      if (thing === undefined) return
      if (thing.items > 0 && !how.force) throw refusal('NotEmpty', `${call.kind} ${thing.name} is not empty.`)
      this.#things.delete(id)
      this.#record('delete', thing, { by: 'request', attempt: call.attempt })
    })
  }

  /** Ends the sessions of an attempt: what it has sent can no longer take effect. What it may send later can. */
  async endSession(call: FakeCall, attempt: string): Promise<void> {
    await this.#request(call, 'read', () => {
      this.#fences.set(attempt, this.#fencesOf(attempt) + 1)
      for (const timer of this.#pending.get(attempt) ?? []) timer[Symbol.dispose]()
      this.#pending.delete(attempt)
    })
  }

  async #request<T>(call: FakeCall, verb: 'read' | 'create' | 'update' | 'delete', execute: () => T): Promise<T> {
    const { faults } = this
    const fences = this.#fencesOf(call.attempt)
    call.signal.throwIfAborted()
    // What is on its way arrives, whether or not the caller still waits for it.
    await this.#latency(undefined)
    this.#admit(call, verb)
    const isMutation = verb !== 'read'
    const run = () => {
      if (this.#fencesOf(call.attempt) !== fences) {
        throw new ExternalError({ class: 'unknown', reason: 'SessionEnded', message: 'The session was ended.' })
      }
      return execute()
    }
    if (this.#strikes(faults.requestLost)) return await this.#silence(call, isMutation)
    if (isMutation && this.#strikes(faults.late)) {
      this.#executeLate(call, run)
      return await this.#silence(call, isMutation)
    }
    const result = run()
    if (this.#strikes(faults.answerLost)) return await this.#silence(call, isMutation)
    await this.#latency(call.signal)
    return result
  }

  #admit(call: FakeCall, verb: 'read' | 'create' | 'update' | 'delete'): void {
    if (!this.isReachable) {
      throw new ExternalError({
        class: 'transient',
        reason: 'Unreachable',
        message: `${this.name} refuses connections.`,
      })
    }
    if (call.token !== this.token) throw refusal('AuthenticationFailed', 'The credential is not valid.')
    if (this.denied.has(verb)) throw refusal('PermissionDenied', `The credential may not ${verb}.`)
    if (this.isThrottling || this.#strikes(this.faults.throttled)) {
      throw new ExternalError({
        class: 'throttled',
        reason: 'Throttled',
        message: 'Too many requests.',
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
  }

  #executeLate(call: FakeCall, run: () => unknown): void {
    const { attempt = '' } = call
    const timers = this.#pending.get(attempt) ?? new Set<Disposable>()
    this.#pending.set(attempt, timers)
    const timer = this.#clock.schedule(this.#random.next() * this.#natureOf(call.kind).lateMs, () => {
      timers.delete(timer)
      try {
        run()
      } catch (error) {
        // Nobody hears the refusal of what was given up.
        if (!(error instanceof ExternalError)) throw error
      }
    })
    timers.add(timer)
  }

  async #silence(call: FakeCall, isMutation: boolean): Promise<never> {
    await sleep(this.#clock, GIVE_UP_MS, call.signal)
    throw new ExternalError({
      class: isMutation ? 'unknown' : 'transient',
      reason: 'NoAnswer',
      message: `${this.name} did not answer.`,
    })
  }

  #make(kind: string, creation: FakeCreation, owner: string | undefined): FakeThing {
    this.#serial++
    const nowMono = this.#clock.mono()
    const { readLagMs, listLagMs } = this.#natureOf(kind)
    // People wait until they see what they made.
    const lag = (maxMs: number) => (owner === undefined ? nowMono : nowMono + this.#random.next() * maxMs)
    const { name, fields, secrets, mark, token, durationMs } = creation
    const thing: FakeThing = {
      id: `${kind.toLowerCase()}-${this.#serial}`,
      kind,
      name,
      fields,
      secrets,
      mark,
      items: 0,
      token,
      owner,
      finishedAtMono: nowMono + durationMs,
      readableAtMono: lag(readLagMs),
      listedAtMono: lag(listLagMs),
    }
    this.#things.set(thing.id, thing)
    return thing
  }

  #record(
    effect: LedgerEntry['effect'],
    { kind, id, name, owner }: FakeThing,
    how: { readonly by: LedgerEntry['by']; readonly attempt?: string | undefined },
  ): void {
    this.ledger.push({ effect, kind, id, name, owner, by: how.by, attempt: how.attempt, atMono: this.#clock.mono() })
  }

  #fencesOf(attempt: string | undefined): number {
    return this.#fences.get(attempt ?? '') ?? 0
  }

  #natureOf(kind: string): FakeNature {
    return this.#nature[kind] ?? PROMPT
  }

  async #latency(signal: AbortSignal | undefined): Promise<void> {
    await sleep(this.#clock, this.#random.next() * this.faults.maxLatencyMs, signal)
  }

  #strikes(probability: number): boolean {
    return probability > 0 && this.#random.next() < probability
  }
}

function refusal(reason: string, message: string): ExternalError {
  return new ExternalError({ class: 'user', reason, message })
}
