import {
  createWatchCache,
  type Disk,
  openMemoryStore,
  type Store,
  StoreError,
  type WatchCache,
} from '@orrery/hub/store'
import { newMutantMemory } from '../mutants.ts'
import { SimulatedDisk } from '../simulated-disk.ts'
import type { Simulation } from '../simulation.ts'

/** One life of the process. `ended` aborts when it dies; whatever was asked of it is then unknown. */
export interface Incarnation {
  readonly store: Store
  readonly cache: WatchCache
  readonly ended: AbortSignal
}

/** The process did not live to answer. */
export class GoneError extends Error {
  override readonly name = 'GoneError'
}

/** A store and its watch cache on one simulated disk, which crash, restart and run out of space. */
export class StoreProcess {
  readonly #simulation: Simulation
  readonly #disk: SimulatedDisk
  readonly #mutant = newMutantMemory()
  #incarnation: Incarnation | undefined
  #death = new AbortController()
  #starting: Promise<void> | undefined
  #isOver = false

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.#disk = new SimulatedDisk(simulation, {
      syncError: simulation.drawFault('syncError', 0.004),
      torn: simulation.drawFault('torn', 1),
      slow: simulation.drawFault('slow', 0.05),
    })
  }

  get isDiskFull(): boolean {
    return Number.isFinite(this.#disk.capacityBytes)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The running incarnation. */
  serving(): Incarnation {
    if (this.#incarnation === undefined) throw new GoneError('The process is down')
    return this.#incarnation
  }

  async start(): Promise<void> {
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined
    })
    await this.#starting
  }

  async #start(): Promise<void> {
    const { mutant } = this.#simulation
    for (;;) {
      const death = new AbortController()
      const mounted: Disk = this.#disk.mount()
      try {
        const disk = mutant?.disk?.(mounted) ?? mounted
        const opened = await openMemoryStore({ random: this.#simulation.random, disk })
        const store = (await mutant?.store?.(opened, this.#mutant)) ?? opened
        const { clock, random } = this.#simulation
        const built = await createWatchCache(store, {
          clock,
          random,
          indexOf: indexOfKey,
          limits: { bookmarkMs: 500, windowEvents: 50, replayRevisions: 40 },
        })
        this.#death = death
        this.#incarnation = { store, cache: mutant?.cache?.(built) ?? built, ended: death.signal }
        this.#simulation.trace(`started at ${built.revision}`)
        return
      } catch (error) {
        // Nothing is lost by trying again: the disk was full, or failed once more.
        if (!(error instanceof StoreError) || !['full', 'broken'].includes(error.kind)) throw error
        this.#disk.crash()
        await this.#simulation.sleep(100)
      }
    }
  }

  /** Power loss, then a start after a while. */
  async crash(): Promise<void> {
    await this.#starting
    this.#simulation.sometimes('crash')
    this.#incarnation = undefined
    this.#mutant.isCrash = true
    this.#disk.crash()
    this.#death.abort()
    await this.#simulation.sleep(this.#simulation.random.next() * 500)
    await this.start()
  }

  async restart(): Promise<void> {
    await this.#starting
    const running = this.#incarnation
    if (running === undefined) return
    this.#incarnation = undefined
    this.#mutant.isCrash = false
    await running.cache[Symbol.asyncDispose]()
    await running.store[Symbol.asyncDispose]()
    this.#death.abort()
    this.#simulation.sometimes('graceful restart')
    await this.start()
  }

  /** After the faults have ended: a process that found its disk broken is started once more. */
  async revive(): Promise<void> {
    await this.#simulation.sleep(2000)
    await this.#starting
    await this.crash()
  }

  /** Leaves the disk next to no space for a while. */
  async fillDisk(forMs: number): Promise<void> {
    this.#disk.capacityBytes = this.#disk.usedBytes + this.#simulation.random.integer(0, 2000)
    await this.#simulation.sleep(forMs)
    this.#disk.capacityBytes = Number.POSITIVE_INFINITY
  }

  /** Ends the world: nothing is asked of the process any more. */
  end(): void {
    this.#isOver = true
    this.#incarnation = undefined
    this.#death.abort()
  }

  /** As {@link ask}, for work whose failure is no news. */
  async attempt(work: (incarnation: Incarnation) => Promise<unknown>): Promise<void> {
    try {
      await this.ask(work)
    } catch (error) {
      if (!(error instanceof GoneError || error instanceof StoreError)) throw error
    }
  }

  /** Throws {@link GoneError} when the process is down, or dies before it answers. */
  async ask<T>(work: (incarnation: Incarnation) => Promise<T>): Promise<T> {
    const incarnation = this.serving()
    const { ended } = incarnation
    return new Promise((resolve, reject) => {
      const gone = () => reject(new GoneError('The process died'))
      ended.addEventListener('abort', gone, { once: true })
      work(incarnation)
        .then(resolve, reject)
        .finally(() => ended.removeEventListener('abort', gone))
    })
  }
}

function indexOfKey(key: string) {
  const [, , , namespace = '', name = ''] = key.split('/')
  return { namespace, name, uid: '', labels: undefined, fields: undefined }
}
