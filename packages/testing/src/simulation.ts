import { createHash } from 'node:crypto'
import { sleep } from '@orrery/api'
import type { Mutant } from './mutants.ts'
import { SeededRandom } from './seeded-random.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface SimulationOptions {
  readonly seed: number
  /** A known bug to plant; the run must then fail. */
  readonly mutant?: Mutant
}

/** A named world: builds the code under test over the simulation's ports, disturbs it, and checks it. */
export interface World {
  readonly name: string
  /** Goals that must be reached in at least one seed of a campaign, else its faults do not bite. */
  readonly goals: readonly string[]
  readonly run: (simulation: Simulation) => Promise<void>
}

export interface SimulationResult {
  readonly seed: number
  /** Empty when every rule held. */
  readonly violations: readonly string[]
  /** Equal for equal seeds. */
  readonly traceHash: string
  readonly events: number
  readonly virtualMs: number
  readonly goals: ReadonlySet<string>
  /** What the seed drew, by name. */
  readonly options: Readonly<Record<string, number>>
}

/** Virtual time after which a run counts as stuck. */
const MAX_VIRTUAL_MS = 60 * 60 * 1000
/** Violations kept of one run; the first says nearly all. */
const MAX_VIOLATIONS = 20

/** A rule did not hold. */
export class ViolationError extends Error {
  override readonly name = 'ViolationError'
}

/**
 * One run of a world under one seed: the clock, the randomness, the faults drawn for it, and the rules.
 * First the safety phase, with faults; after `healAll` the liveness phase, without.
 */
export class Simulation {
  readonly seed: number
  readonly mutant: Mutant | undefined
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly #options = new Map<string, number>()
  readonly #goals = new Set<string>()
  readonly #violations: string[] = []
  readonly #healers: (() => void)[] = []
  readonly #trace = createHash('sha256')
  #phase: 'safety' | 'liveness' = 'safety'
  #events = 0
  #isFinished = false

  constructor({ seed, mutant }: SimulationOptions) {
    this.seed = seed
    this.mutant = mutant
    this.random = new SeededRandom(seed)
  }

  get phase(): 'safety' | 'liveness' {
    return this.#phase
  }

  /** Draws a number for this run and remembers it for the report. */
  draw(name: string, from: number, to: number): number {
    const value = this.random.integer(from, to)
    this.#options.set(name, value)
    return value
  }

  /** Draws a fault: off in about half the seeds, else with a probability up to `most`. */
  drawFault(name: string, most: number): number {
    const value = this.random.chance(0.5) ? 0 : this.random.next() * most
    this.#options.set(name, Number(value.toFixed(4)))
    return value
  }

  /** Whether a fault of that probability strikes now; never once healed. */
  strikes(probability: number): boolean {
    return this.random.chance(probability) && this.#phase === 'safety'
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleep(this.clock, delayMs, signal)
  }

  /** A rule that holds at every moment. Throws {@link ViolationError} otherwise. */
  always(condition: boolean, rule: string): asserts condition {
    if (condition) return
    this.violate(rule)
    throw new ViolationError(rule)
  }

  /** Records that a rule was broken, and goes on. */
  violate(rule: string): void {
    if (this.#violations.length < MAX_VIOLATIONS) this.#violations.push(rule)
    this.trace(`violation ${rule}`)
  }

  /** A goal that some seed of a campaign must reach. */
  sometimes(goal: string): void {
    this.#goals.add(goal)
  }

  /** A place that no run may reach. */
  unreachable(what: string): never {
    this.violate(`unreachable: ${what}`)
    throw new ViolationError(what)
  }

  /** Adds to the trace, whose hash tells whether two runs were the same. */
  trace(event: string): void {
    this.#events++
    this.#trace.update(`${this.clock.mono()} ${event}\n`)
  }

  /** What `healAll` must undo. */
  onHeal(heal: () => void): void {
    this.#healers.push(heal)
  }

  /** Ends all faults for good: from now on everything must converge. */
  healAll(): void {
    this.#phase = 'liveness'
    this.trace('heal')
    for (const heal of this.#healers) heal()
  }

  /** Waits until `isTrue`, looking again every `everyMs`; a violation when it takes longer than `withinMs`. */
  async eventually(
    rule: string,
    bounds: { readonly withinMs: number; readonly everyMs: number },
    isTrue: () => Promise<boolean> | boolean,
  ): Promise<void> {
    const endMs = this.clock.mono() + bounds.withinMs
    while (!(await isTrue())) {
      this.always(this.clock.mono() < endMs, `within ${bounds.withinMs} ms: ${rule}`)
      await this.sleep(bounds.everyMs)
    }
  }

  /** Runs work beside the world: when it fails, the whole run has failed and ends. */
  supervise(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof ViolationError)) this.violate(`the world failed: ${describe(error)}`)
      this.#isFinished = true
    })
  }

  /** Runs a world to its end. Never throws for what the world does. */
  async run(world: World): Promise<SimulationResult> {
    this.supervise(this.#live(world))
    while (!this.#isFinished) {
      const moved = await this.clock.step()
      if (!moved && !this.#isFinished) {
        this.violate('stuck: nothing is scheduled, and the world is not finished')
        break
      }
      if (this.clock.mono() > MAX_VIRTUAL_MS) {
        this.violate(`the world is not finished after ${MAX_VIRTUAL_MS} virtual ms`)
        break
      }
    }
    return {
      seed: this.seed,
      violations: [...this.#violations],
      traceHash: this.#trace.digest('hex').slice(0, 16),
      events: this.#events,
      virtualMs: Math.round(this.clock.mono()),
      goals: this.#goals,
      options: Object.fromEntries(this.#options),
    }
  }

  async #live(world: World): Promise<void> {
    await world.run(this)
    this.#isFinished = true
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
