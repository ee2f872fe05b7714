import { type Disk, DiskError } from '@orrery/hub/store'
import type { Simulation } from './simulation.ts'

/** What a disk does wrong, as probabilities per operation. */
export interface DiskFaults {
  /** A sync that fails; the bytes are then marked clean, so that a second sync lies. */
  readonly syncError: number
  /** Of an unsynced tail in a crash: kept in part, with a damaged sector, instead of dropped. */
  readonly torn: number
  readonly slow: number
}

interface File {
  /** What readers see. */
  written: Uint8Array
  /** What survives a crash. */
  synced: Uint8Array
  /** A sync failed: later syncs claim success without effect. */
  isLying: boolean
}

const SECTOR_BYTES = 512
/** Times of one operation, in ms. */
const FAST_MS = 0.3
const SLOW_MS = 400

/** Files with a written and a synced image. Survives crashes; a process reaches it through a mount. */
export class SimulatedDisk {
  readonly #simulation: Simulation
  readonly #faults: DiskFaults
  readonly #files = new Map<string, File>()
  #mount: object = {}
  /** Bytes that fit; lowering it below what is used makes the disk full. */
  capacityBytes = Number.POSITIVE_INFINITY

  constructor(simulation: Simulation, faults: Partial<DiskFaults> = {}) {
    this.#simulation = simulation
    this.#faults = { syncError: 0, torn: 0, slow: 0, ...faults }
    simulation.onHeal(() => {
      this.capacityBytes = Number.POSITIVE_INFINITY
    })
  }

  get usedBytes(): number {
    let used = 0
    for (const file of this.#files.values()) used += file.written.byteLength
    return used
  }

  /** The disk as the next process sees it. Ends with the next crash: its operations then never return. */
  mount(): Disk {
    const mine = {}
    this.#mount = mine
    const perform = async <T>(operation: () => T): Promise<T> => {
      await this.#simulation.sleep(this.#durationMs())
      if (this.#mount !== mine) return new Promise<never>(() => undefined) // The process is dead.
      return operation()
    }
    return {
      read: (name) => perform(() => this.#files.get(name)?.written.slice()),
      append: (name, bytes) => perform(() => this.#append(name, bytes)),
      sync: (name) => perform(() => this.#sync(name)),
      truncate: (name, sizeBytes) =>
        perform(() => {
          const file = this.#file(name)
          file.written = file.written.slice(0, sizeBytes)
        }),
      rename: (from, to) =>
        perform(() => {
          const file = this.#file(from)
          this.#files.set(to, file)
          this.#files.delete(from)
          file.written = file.synced.slice() // Whoever renames unsynced bytes loses them.
        }),
      remove: (name) => perform(() => void this.#files.delete(name)),
    }
  }

  /** Kills the process and the power: unsynced bytes are dropped or torn. */
  crash(): void {
    this.#mount = {}
    for (const file of this.#files.values()) {
      file.written = this.#afterCrash(file)
      file.synced = file.written.slice()
      file.isLying = false
    }
    this.#simulation.trace('disk crash')
  }

  /** Flips one bit in what is stored. */
  flipBit(name: string, at: number, bit: number): void {
    const file = this.#file(name)
    for (const image of [file.written, file.synced]) image[at] = (image[at] ?? 0) ^ (1 << bit)
  }

  /** Size of a file in bytes; 0 when there is none. */
  sizeOf(name: string): number {
    return this.#files.get(name)?.written.byteLength ?? 0
  }

  #durationMs(): number {
    const { random } = this.#simulation
    return random.next() * (this.#simulation.strikes(this.#faults.slow) ? SLOW_MS : FAST_MS)
  }

  #file(name: string): File {
    const known = this.#files.get(name)
    if (known !== undefined) return known
    const created: File = { written: new Uint8Array(0), synced: new Uint8Array(0), isLying: false }
    this.#files.set(name, created)
    return created
  }

  #append(name: string, bytes: Uint8Array): void {
    const file = this.#file(name)
    const room = Math.max(0, this.capacityBytes - this.usedBytes)
    if (bytes.byteLength <= room) {
      file.written = Buffer.concat([file.written, bytes])
      return
    }
    const fitting = this.#simulation.random.integer(0, Math.min(room, bytes.byteLength - 1))
    file.written = Buffer.concat([file.written, bytes.subarray(0, fitting)])
    this.#simulation.sometimes('disk full')
    throw new DiskError('full', `No space to append ${bytes.byteLength} bytes to ${name}`)
  }

  #sync(name: string): void {
    const file = this.#file(name)
    if (this.#simulation.strikes(this.#faults.syncError)) {
      file.isLying = true
      this.#simulation.sometimes('sync failed')
      throw new DiskError('io', `The sync of ${name} failed`)
    }
    if (!file.isLying) file.synced = file.written.slice()
  }

  #afterCrash(file: File): Uint8Array {
    const { random } = this.#simulation
    const { written, synced } = file
    if (written.byteLength <= synced.byteLength) return random.chance(0.5) ? synced : written.slice()
    const unsynced = written.byteLength - synced.byteLength
    if (!this.#simulation.strikes(this.#faults.torn)) return synced
    this.#simulation.sometimes('torn write')
    const kept = Buffer.from(written.slice(0, synced.byteLength + random.integer(1, unsynced)))
    const damaged = random.integer(synced.byteLength, kept.byteLength - 1)
    if (random.chance(0.5)) kept.fill(0, damaged, Math.min(kept.byteLength, damaged + SECTOR_BYTES))
    return kept
  }
}
