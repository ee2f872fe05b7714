import type { Clock } from '@orrery/api'
import { createDeadline } from '@orrery/client'
import type { Controller, ControllerOptions } from './controller.ts'
import type { Election } from './election.ts'
import { createElection } from './election.ts'
import type { EventLoopWatch } from './event-loop.ts'
import { watchEventLoop } from './event-loop.ts'
import { healthOf } from './health.ts'
import type { Health, Leadership, Manager, ManagerOptions } from './manager.ts'
import type { RuntimeMetrics } from './metrics.ts'
import { createRuntimeMetrics } from './metrics.ts'
import type { RunnableController } from './run-controller.ts'
import { createController } from './run-controller.ts'
import { SharedInformers } from './shared-informers.ts'

/** Running reconciles get this long to notice a shutdown before it is called a failure. */
export const SHUTDOWN_GRACE_MS = 30_000
/** After a lost lease another process may act already: what still runs is only waited for this long. */
export const LOST_GRACE_MS = 1_000

const UNELECTED: Leadership = { epoch: 0, validUntilMono: () => Number.POSITIVE_INFINITY }

/** The composition of informers, controllers and election that one process runs. */
export function createManager(options: ManagerOptions): Manager {
  return new ControllerManager(options)
}

interface Member {
  readonly controller: RunnableController
  readonly stop: AbortController
  running: Promise<void> | undefined
}

class ControllerManager implements Manager {
  readonly informers: SharedInformers
  readonly leadership: Leadership
  readonly #options: ManagerOptions
  readonly #metrics: RuntimeMetrics
  readonly #election: Election | undefined
  readonly #members = new Map<string, Member>()
  /** Rejects when a part fails for good; resolves never. */
  readonly #failed = Promise.withResolvers<never>()
  #loop: EventLoopWatch | undefined
  /** Set while controllers may run: without election from the start, otherwise while the lease is ours. */
  #working: AbortSignal | undefined
  #isRunning = false

  constructor(options: ManagerOptions) {
    this.#options = options
    this.#metrics = createRuntimeMetrics(options.metrics)
    this.informers = new SharedInformers({ ...options, onFailure: (error) => this.#failed.reject(error) })
    this.#election =
      options.election === undefined ? undefined : createElection({ ...options, lease: options.election })
    this.leadership = this.#election?.leadership ?? UNELECTED
    // `run` awaits it; a failure before that must not count as unhandled.
    this.#failed.promise.catch(() => undefined)
    this.#metrics.collect(() => this.#sample())
  }

  add(options: ControllerOptions): Controller {
    if (this.#members.has(options.name)) throw new Error(`There is a controller named ${options.name} already.`)
    const { name, concurrency } = options
    const metrics = this.#metrics.controller(name, concurrency)
    const controller = createController(options, { ...this.#options, informers: this.informers, metrics })
    const member: Member = { controller, stop: new AbortController(), running: undefined }
    this.#members.set(name, member)
    this.#start(member)
    return controller
  }

  async remove(name: string): Promise<void> {
    const member = this.#members.get(name)
    if (member === undefined) return
    this.#members.delete(name)
    member.stop.abort(new Error(`The controller ${name} was removed.`))
    await member.running
    await member.controller.close()
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#isRunning) throw new Error('The manager is running already.')
    this.#isRunning = true
    const { clock, log } = this.#options
    // Three ends, in this order: work, lease, reading. Each outlives the one before.
    using reading = createDeadline({ clock })
    using leading = createDeadline({ clock })
    using working = createDeadline({ clock, signal })
    using loop = watchEventLoop(clock, (lagMs) => log.error({ lagMs }, 'the event loop stood still'))
    this.#loop = loop
    try {
      this.informers.start(reading.signal)
      const lead = await this.#lead(working.signal, leading.signal)
      if (lead !== undefined) await this.#work(working, lead.held)
      leading.abort(new Error('The manager stops.'))
      await lead?.held
      await this.#election?.release()
    } finally {
      for (const end of [working, leading, reading]) end.abort(new Error('The manager stops.'))
      this.#setLeader(false)
      await this.informers.settled()
      this.#isRunning = false
      this.#loop = undefined
    }
  }

  health(): Health {
    return healthOf({
      clock: this.#options.clock,
      isRunning: this.#isRunning,
      election: this.#election,
      informers: this.informers.states(),
      controllers: [...this.#members.values()].map((member) => member.controller),
      loopLagMs: this.#loop?.lagMs() ?? 0,
    })
  }

  /** Acquires the lease and starts to renew it. Undefined when the manager was stopped before that. */
  async #lead(stop: AbortSignal, leading: AbortSignal): Promise<{ readonly held: Promise<void> } | undefined> {
    const election = this.#election
    if (election === undefined) return { held: untilAborted(leading) }
    try {
      await Promise.race([election.acquire(stop), this.#failed.promise])
    } catch (error) {
      if (!stop.aborted) throw error
      return undefined
    }
    return { held: election.hold(leading) }
  }

  /** Runs the controllers until they are to stop, and waits for what they have begun. */
  async #work(
    working: { readonly signal: AbortSignal; abort(reason: unknown): void },
    held: Promise<void>,
  ): Promise<void> {
    const { clock } = this.#options
    this.#working = working.signal
    this.#setLeader(true)
    for (const member of this.#members.values()) this.#start(member)
    let graceMs = SHUTDOWN_GRACE_MS
    try {
      await Promise.race([untilAborted(working.signal), held, this.#failed.promise])
    } catch (error) {
      graceMs = LOST_GRACE_MS
      throw error
    } finally {
      working.abort(new Error('The manager stops.'))
      this.#working = undefined
      const isClean = await isSettledWithin(clock, graceMs, this.#ended())
      this.#reportUnfinished(isClean, graceMs)
    }
  }

  async #ended(): Promise<void> {
    for (const { running } of this.#members.values()) await running
  }

  /** Reconciles that do not end keep the lease: releasing it would let a second writer in beside them. */
  #reportUnfinished(isClean: boolean, graceMs: number): void {
    if (isClean) return
    const names = [...this.#members.values()]
      .filter((member) => member.controller.depth > 0)
      .map((member) => member.controller.name)
    const message = `Reconciles of ${names.join(', ')} did not end within ${graceMs} ms; the lease is not released. End the process.`
    this.#options.log.error({ controllers: names }, message)
    if (graceMs === SHUTDOWN_GRACE_MS) throw new Error(message)
  }

  #start(member: Member): void {
    const working = this.#working
    if (working === undefined || working.aborted || member.running !== undefined) return
    member.running = this.#supervise(member, working)
  }

  async #supervise(member: Member, working: AbortSignal): Promise<void> {
    using scope = createDeadline({ clock: this.#options.clock, signal: working })
    const stop = () => scope.abort(member.stop.signal.reason)
    member.stop.signal.addEventListener('abort', stop, { once: true })
    try {
      await member.controller.run(scope.signal)
    } catch (error) {
      this.#failed.reject(error)
    }
  }

  #setLeader(isLeader: boolean): void {
    const { election } = this.#options
    if (election !== undefined) this.#metrics.leader(election.name, isLeader)
  }

  #sample() {
    const nowMono = this.#options.clock.mono()
    return {
      loopLagSeconds: (this.#loop?.lagMs() ?? 0) / 1000,
      informers: this.informers.states().map(({ name, informer }) => ({
        name,
        objects: informer.size,
        idleSeconds: (nowMono - informer.progressMono) / 1000,
        synced: informer.synced,
      })),
    }
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Whether the promise settles within the time. Leaves no timer behind. */
async function isSettledWithin(clock: Clock, limitMs: number, promise: Promise<void>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  using _timer = clock.schedule(limitMs, () => resolve(false))
  return await Promise.race([promise.then(() => true), late])
}
