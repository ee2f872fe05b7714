import type { Random } from '@orrery/api'
import { type Disk, DiskError } from './disk.ts'
import type { ChangesRequest, ChangesResult, Log, LogOutcome, LogState } from './log.ts'
import { createLogStore, type LogStoreLimits } from './log-store.ts'
import { decodeFile, encodeEntries, encodeHeader, type LogEntry, MEMORY_FORMAT } from './memory-record.ts'
import {
  type ListRequest,
  type ListResult,
  type Revision,
  revision,
  type Store,
  type StoredValue,
  StoreError,
  type WriteRequest,
} from './store.ts'
import { storedOf, VersionIndex } from './version-index.ts'

export interface MemoryStoreOptions {
  /** Makes the store's id when it is new. */
  readonly random: Random
  /** Absent: nothing survives the process. */
  readonly disk?: Disk
  readonly limits?: Partial<LogStoreLimits>
}

const FILE = 'log'
const NEW_FILE = 'log.new'
const RESERVE_FILE = 'reserve'
/** Space given back when the disk is full, so that deletes and compactions still find room. */
const RESERVE_BYTES = 64 * 1024
/** Entries in one record of a rewritten file. */
const REWRITE_ENTRIES = 256

/**
 * A store in memory over an append-only, checksummed log file on a {@link Disk}: what tests and the
 * simulator run. Recovers what was acknowledged. Throws `corrupt` when acknowledged bytes changed,
 * `newer-format` when a later version wrote the file.
 */
export async function openMemoryStore(options: MemoryStoreOptions): Promise<Store> {
  return createLogStore(await openMemoryLog(options), options.limits)
}

/** The log under {@link openMemoryStore}, for decorators. */
export async function openMemoryLog({ random, disk }: MemoryStoreOptions): Promise<Log> {
  if (disk === undefined) return new MemoryLog({ id: random.uuid(), index: new VersionIndex() })
  try {
    return await openLogFile(disk, random)
  } catch (error) {
    throw storeErrorOf(error)
  }
}

async function openLogFile(disk: Disk, random: Random): Promise<Log> {
  const index = new VersionIndex()
  await disk.remove(NEW_FILE)
  await disk.remove(RESERVE_FILE)
  const bytes = await disk.read(FILE)
  const decoded = bytes === undefined ? undefined : decodeFile(bytes)
  const id = decoded?.header.id ?? random.uuid()
  for (const batch of decoded?.batches ?? []) for (const entry of batch) index.apply(entry)
  index.restore(
    revision(Math.max(decoded?.header.revision ?? 0, index.revision)),
    decoded?.header.compacted ?? revision(0),
  )
  // What was read may never have reached the disk (a failed sync leaves it in the page cache, marked clean), and
  // readers will see it from now on: only a fresh copy is certain to survive.
  const file = new LogFile(disk)
  if (!(await file.rewrite(headerOf(id, index), index.entries()))) {
    throw new StoreError('full', 'The disk has no space to open the store: free some and start again')
  }
  return new MemoryLog({ id, index, file })
}

function headerOf(id: string, index: VersionIndex): Uint8Array {
  return encodeHeader({ format: MEMORY_FORMAT, id, revision: index.revision, compacted: index.compacted })
}

/** The log file: appends whole records or, when the disk is full, nothing. */
class LogFile {
  readonly #disk: Disk
  #sizeBytes = 0
  #hasReserve = false

  constructor(disk: Disk) {
    this.#disk = disk
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Resolves true after the sync, or false when there is no space and nothing was written. */
  async append(record: Uint8Array): Promise<boolean> {
    try {
      await this.#disk.append(FILE, record)
    } catch (error) {
      if (!isFull(error)) throw error
      await this.#disk.truncate(FILE, this.#sizeBytes)
      return false
    }
    await this.#disk.sync(FILE)
    this.#sizeBytes += record.byteLength
    return true
  }

  /** Takes the space of the reserve; false when the disk has not that much. */
  async reserve(): Promise<boolean> {
    if (this.#hasReserve) return true
    try {
      await this.#disk.remove(RESERVE_FILE)
      await this.#disk.append(RESERVE_FILE, new Uint8Array(RESERVE_BYTES))
      this.#hasReserve = true
    } catch (error) {
      if (!isFull(error)) throw error
      await this.#disk.remove(RESERVE_FILE)
    }
    return this.#hasReserve
  }

  async release(): Promise<void> {
    this.#hasReserve = false
    await this.#disk.remove(RESERVE_FILE)
  }

  /** Replaces the whole file; false when there is no space, and the old one stays. */
  async rewrite(header: Uint8Array, entries: readonly LogEntry[]): Promise<boolean> {
    let sizeBytes = header.byteLength
    try {
      await this.#disk.append(NEW_FILE, header)
      for (let at = 0; at < entries.length; at += REWRITE_ENTRIES) {
        const record = encodeEntries(entries.slice(at, at + REWRITE_ENTRIES))
        await this.#disk.append(NEW_FILE, record)
        sizeBytes += record.byteLength
      }
    } catch (error) {
      if (!isFull(error)) throw error
      await this.#disk.remove(NEW_FILE)
      return false
    }
    await this.#disk.sync(NEW_FILE)
    await this.#disk.rename(NEW_FILE, FILE)
    this.#sizeBytes = sizeBytes
    return true
  }
}

function storeErrorOf(error: unknown): unknown {
  if (!(error instanceof DiskError)) return error
  const advice = error.kind === 'full' ? 'free space and retry' : 'check the disk and restart'
  return new StoreError(error.kind === 'full' ? 'full' : 'broken', `${error.message}: ${advice}`, { cause: error })
}

const isFull = (error: unknown): boolean => error instanceof DiskError && error.kind === 'full'

const NO_SPACE = 'The disk is full: reads and deletes go on. Free space and retry; nothing was written.'

class MemoryLog implements Log {
  readonly opened: LogState
  readonly #index: VersionIndex
  readonly #file: LogFile | undefined
  #isFull = false
  #failure: unknown
  /** Commits and rewrites of the file exclude each other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: { readonly id: string; readonly index: VersionIndex; readonly file?: LogFile }) {
    this.#index = parts.index
    this.#file = parts.file
    this.opened = { id: parts.id, revision: parts.index.revision, compacted: parts.index.compacted }
  }

  commit(requests: readonly WriteRequest[]): Promise<readonly LogOutcome[]> {
    return this.#exclusive(() => this.#commit(requests))
  }

  async #commit(requests: readonly WriteRequest[]): Promise<readonly LogOutcome[]> {
    if (this.#file === undefined) return this.#apply(this.#judge(requests, false))
    if (this.#isFull) this.#isFull = !(await this.#file.reserve())
    else await this.#file.reserve()
    let judged = this.#judge(requests, this.#isFull)
    if (judged.entries.length === 0) return judged.outcomes
    if (await this.#file.append(encodeEntries(judged.entries))) return this.#apply(judged)
    this.#isFull = true
    await this.#file.release()
    judged = this.#judge(requests, true)
    if (judged.entries.length === 0 || (await this.#file.append(encodeEntries(judged.entries))))
      return this.#apply(judged)
    return requests.map(() => ({ state: 'refused', kind: 'full', message: NO_SPACE }))
  }

  async get(key: string): Promise<StoredValue | undefined> {
    const entry = this.#index.current(key)
    return entry?.value === undefined ? undefined : storedOf(entry, entry.value)
  }

  async list(request: ListRequest): Promise<ListResult> {
    return this.#index.list(request)
  }

  async changes(request: ChangesRequest): Promise<ChangesResult> {
    return this.#index.changes(request)
  }

  async compact(to: Revision): Promise<boolean> {
    if (!this.#index.compact(to)) return false
    const file = this.#file
    if (file === undefined) return true
    return this.#exclusive(async () => {
      const header = headerOf(this.opened.id, this.#index)
      // Without space the old file stays, which only holds more than it must.
      if (!(await file.rewrite(header, this.#index.entries()))) await file.release()
      return true
    })
  }

  async size(): Promise<number> {
    return this.#file?.sizeBytes ?? this.#index.sizeBytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        return await work()
      } catch (error) {
        // What the file holds is unknown from now on: whatever would be written to it could hide that.
        this.#failure = storeErrorOf(error)
        throw this.#failure
      }
    })
    this.#turn = result.catch(() => undefined) // Whoever asked for that work hears of it.
    return result
  }

  /** Decides each write against the state that the writes before it leave. Changes nothing. */
  #judge(requests: readonly WriteRequest[], deletesOnly: boolean): Judged {
    const pending = new Map<string, LogEntry>()
    const entries: LogEntry[] = []
    const outcomes = requests.map(({ key, expected, value }): LogOutcome => {
      const newest = pending.get(key) ?? this.#index.current(key)
      const previous = newest?.value === undefined ? undefined : storedOf(newest, newest.value)
      if ((previous?.modRevision ?? 0) !== expected) {
        return previous === undefined ? { state: 'conflict' } : { state: 'conflict', current: previous }
      }
      if (deletesOnly && value !== undefined) return { state: 'refused', kind: 'full', message: NO_SPACE }
      const at = revision(this.#index.revision + entries.length + 1)
      const created = { key, revision: at, createRevision: previous?.createRevision ?? at }
      const entry: LogEntry = value === undefined ? created : { ...created, value }
      pending.set(key, entry)
      entries.push(entry)
      return previous === undefined ? { state: 'written', revision: at } : { state: 'written', revision: at, previous }
    })
    return { entries, outcomes }
  }

  #apply({ entries, outcomes }: Judged): readonly LogOutcome[] {
    for (const entry of entries) this.#index.apply(entry)
    return outcomes
  }
}

interface Judged {
  readonly entries: readonly LogEntry[]
  readonly outcomes: readonly LogOutcome[]
}
