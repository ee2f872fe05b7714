import type { Clock, Lease, Logger, Random } from '@orrery/api'
import { formatMicroTime, isAlreadyExists, isConflict, isNotFound, leases, sleep } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createDeadline } from '@orrery/client'
import type { Leadership, ManagerOptions } from './manager.ts'

/** Two clocks may run at rates this far apart before the fence fails; good quartz differs by 0.01 %. */
export const CLOCK_RATE_MARGIN = 0.05
/** Spread of the time between attempts, so that candidates and renewals do not march in step. */
const RETRY_JITTER = 0.2

/** The lease is lost, or may be. Whoever sees this must stop at once; the process should end. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}

export interface ElectionOptions {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly identity: string
  readonly lease: NonNullable<ManagerOptions['election']>
}

export interface Election {
  readonly leadership: Leadership
  /** Whether the lease is ours, as far as this process can know. */
  readonly isHeld: boolean
  /** Why the last attempt failed, for health. */
  readonly failure: string | undefined
  /** Resolves once the lease is ours; rejects with the signal's reason. */
  acquire(signal: AbortSignal): Promise<void>
  /** Renews until `signal` aborts. Rejects with {@link LeaseLostError}. */
  hold(signal: AbortSignal): Promise<void>
  /** Lets others take over at once. Only after everything done under the lease has ended. */
  release(): Promise<void>
}

/**
 * Leader election over a Lease, by client-go's rules: a lease is expired when *this* process has seen no
 * change of it for its duration by its own monotonic clock; wall clocks are written for people only.
 */
export function createElection(options: ElectionOptions): Election {
  return new LeaseElection(options)
}

class LeaseElection implements Election {
  readonly leadership: Leadership
  readonly #options: ElectionOptions
  readonly #log: Logger
  /** The last state of the lease seen, and since when it has not changed. */
  #seen: { readonly lease: Lease; readonly sinceMono: number } | undefined
  /** Start of the last renewal that succeeded: nobody can have seen it earlier. */
  #renewedMono = Number.NEGATIVE_INFINITY
  #epoch = 0
  #isHeld = false
  #failure: string | undefined

  constructor(options: ElectionOptions) {
    this.#options = options
    this.#log = options.log.child({ lease: `${options.lease.namespace}/${options.lease.name}` })
    const epoch = () => this.#epoch
    this.leadership = {
      get epoch() {
        return epoch()
      },
      validUntilMono: () => this.#validUntilMono(),
    }
  }

  get isHeld(): boolean {
    return this.#isHeld
  }
  get failure(): string | undefined {
    return this.#failure
  }

  async acquire(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      if (await this.#attempt(signal)) break
      await this.#pause(signal)
    }
    this.#isHeld = true
    this.#log.info({ epoch: this.#epoch }, 'holds the lease')
  }

  async hold(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#pause(signal)
        if (await this.#attempt(signal)) continue
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      const holder = this.#seen?.lease.spec.holderIdentity
      if (holder !== this.#options.identity && holder !== undefined) throw this.#lost(`it is held by ${holder}`)
      if (this.#overdue()) throw this.#lost(this.#failure ?? 'it was not renewed in time')
    }
  }

  async release(): Promise<void> {
    const seen = this.#seen
    if (!this.#isHeld || seen === undefined) return
    this.#isHeld = false
    this.#renewedMono = Number.NEGATIVE_INFINITY
    const now = formatMicroTime(this.#options.clock.now())
    try {
      using deadline = createDeadline({ clock: this.#options.clock, timeoutMs: this.#options.lease.retryMs })
      const spec = { ...seen.lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now }
      await this.#options.client.update(leases, { ...seen.lease, spec }, { signal: deadline.signal })
    } catch (error) {
      // It only makes the successor wait until the lease expires.
      this.#log.warn({ error }, 'could not release the lease; it expires by itself')
    }
  }

  /** One try to acquire or renew. False when the lease is another's or the API did not do it; the reason is in `failure`. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { clock, lease } = this.#options
    if (this.#isHeld && this.#overdue()) return false
    const restMs = this.#isHeld ? this.#renewedMono + lease.renewMs - clock.mono() : lease.renewMs
    using deadline = createDeadline({ clock, timeoutMs: Math.max(1, restMs), signal })
    try {
      const isOurs = await this.#write(deadline.signal)
      if (isOurs) this.#failure = undefined
      return isOurs
    } catch (error) {
      signal.throwIfAborted()
      // What we hold may be outdated, e.g. after a renewal whose answer was lost: read before the next write.
      if (isRace(error)) return this.#lookAgain(deadline.signal)
      this.#fail(error)
      return false
    }
  }

  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    if (this.#failure !== message) this.#log.warn({ error }, 'cannot acquire or renew the lease; tries again')
    this.#failure = message
  }

  async #write(signal: AbortSignal): Promise<boolean> {
    const { clock, client, identity } = this.#options
    const mine = this.#isHeld ? this.#seen?.lease : undefined
    const current = mine ?? (await this.#look(signal))
    const startMono = clock.mono()
    if (current === undefined) {
      this.#own(await client.create(leases, this.#newLease(), { signal }), startMono)
      return true
    }
    const holder = current.spec.holderIdentity ?? ''
    if (holder !== identity && holder !== '' && !this.#isExpired(current)) return false
    // A server that lost the answer may have taken the write: the next attempt reads, finds us, and renews.
    this.#own(await client.update(leases, this.#renewed(current), { signal }), startMono)
    return true
  }

  #own(lease: Lease, startMono: number): void {
    this.#seen = { lease, sinceMono: this.#options.clock.mono() }
    this.#renewedMono = startMono
    this.#epoch = lease.spec.leaseTransitions ?? 0
  }

  async #look(signal: AbortSignal): Promise<Lease | undefined> {
    const { client, clock, lease } = this.#options
    const { namespace, name } = lease
    const found = await client.find(leases, { namespace, name }, { signal })
    if (found === undefined) this.#seen = undefined
    else if (found.metadata.resourceVersion !== this.#seen?.lease.metadata.resourceVersion) {
      this.#seen = { lease: found, sinceMono: clock.mono() }
    }
    return found
  }

  async #lookAgain(signal: AbortSignal): Promise<false> {
    try {
      await this.#look(signal)
      this.#failure = undefined
    } catch (error) {
      this.#fail(error)
    }
    return false
  }

  #isExpired(lease: Lease): boolean {
    const durationMs = Math.max((lease.spec.leaseDurationSeconds ?? 0) * 1000, this.#options.lease.leaseMs)
    return this.#seen !== undefined && this.#options.clock.mono() > this.#seen.sinceMono + durationMs
  }

  #overdue(): boolean {
    return this.#options.clock.mono() > this.#renewedMono + this.#options.lease.renewMs
  }

  #validUntilMono(): number {
    return this.#isHeld
      ? this.#renewedMono + this.#options.lease.leaseMs * (1 - CLOCK_RATE_MARGIN)
      : Number.NEGATIVE_INFINITY
  }

  #lost(why: string): LeaseLostError {
    this.#isHeld = false
    this.#renewedMono = Number.NEGATIVE_INFINITY
    const { namespace, name } = this.#options.lease
    return new LeaseLostError(`The lease ${namespace}/${name} is lost: ${why}. This process must stop; start it again.`)
  }

  #newLease(): Lease {
    const { lease } = this.#options
    const { namespace, name } = lease
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace, name },
      // Epoch 0 means «without election». Who holds a lease that somebody deleted goes on with its own epoch.
      spec: {
        ...this.#claim(),
        acquireTime: formatMicroTime(this.#options.clock.now()),
        leaseTransitions: Math.max(1, this.#epoch),
      },
    }
  }

  #renewed(current: Lease): Lease {
    if (current.spec.holderIdentity === this.#options.identity) {
      return { ...current, spec: { ...current.spec, ...this.#claim() } }
    }
    const acquireTime = formatMicroTime(this.#options.clock.now())
    const leaseTransitions = (current.spec.leaseTransitions ?? 0) + 1
    return { ...current, spec: { ...current.spec, ...this.#claim(), acquireTime, leaseTransitions } }
  }

  #claim() {
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#options.lease.leaseMs / 1000),
      renewTime: formatMicroTime(this.#options.clock.now()),
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    const { clock, random, lease } = this.#options
    return sleep(clock, lease.retryMs * (1 + RETRY_JITTER * random.next()), signal)
  }
}

/** Another candidate, or our own write whose answer was lost, was first. */
const isRace = (error: unknown) => isConflict(error) || isAlreadyExists(error) || isNotFound(error)
