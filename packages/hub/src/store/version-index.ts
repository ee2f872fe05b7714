import type { ChangesRequest, ChangesResult } from './log.ts'
import type { LogEntry } from './memory-record.ts'
import { OrderedMap } from './ordered-map.ts'
import {
  type ListRequest,
  type ListResult,
  type Revision,
  revision,
  type StoredValue,
  StoreError,
  type StoreEvent,
} from './store.ts'

/** Entries looked at by one slice of a compaction. */
const COMPACT_SLICE = 1000

/** All kept versions of all keys in memory, and the log in order. Pure: no I/O. */
export class VersionIndex {
  readonly #keys = new OrderedMap<LogEntry[]>()
  #log: LogEntry[] = []
  #revision = revision(0)
  #compacted = revision(0)
  #sizeBytes = 0

  get revision(): Revision {
    return this.#revision
  }
  get compacted(): Revision {
    return this.#compacted
  }
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Continues from a file whose newest entries may have been compacted away. */
  restore(newest: Revision, compacted: Revision): void {
    this.#revision = newest
    this.#compacted = compacted
  }

  /** The newest version, unless that is a delete. */
  current(key: string): LogEntry | undefined {
    const newest = this.#keys.get(key)?.at(-1)
    return newest?.value === undefined ? undefined : newest
  }

  apply(entry: LogEntry): void {
    const versions = this.#keys.get(entry.key)
    if (versions === undefined) this.#keys.set(entry.key, [entry])
    else versions.push(entry)
    this.#log.push(entry)
    this.#sizeBytes += bytesOf(entry)
    if (entry.revision > this.#revision) this.#revision = entry.revision
  }

  list({ prefix, at = this.#revision, after, limit = Number.POSITIVE_INFINITY }: ListRequest): ListResult {
    this.#assertKept(at)
    const items: StoredValue[] = []
    const from = after !== undefined && after >= prefix ? after : prefix
    for (const [key, versions] of this.#keys.entries(from, from === after)) {
      if (!key.startsWith(prefix)) break
      const version = versions.findLast((candidate) => candidate.revision <= at)
      if (version?.value === undefined) continue
      if (items.length >= limit) return { items, revision: at, more: true }
      items.push(storedOf(version, version.value))
    }
    return { items, revision: at, more: false }
  }

  changes({ prefix, after, through, limit }: ChangesRequest): ChangesResult {
    this.#assertKept(after)
    const events: StoreEvent[] = []
    let index = this.#firstAfter(after)
    const end = index + limit
    for (; index < end; index++) {
      const entry = this.#log[index]
      if (entry === undefined || entry.revision > through) return { events, through }
      if (entry.key.startsWith(prefix)) events.push(this.#eventOf(entry))
    }
    return { events, through: this.#log[index - 1]?.revision ?? through }
  }

  /** Forgets versions that no revision from `to` on can see; one slice. Whether it is finished. */
  compact(to: Revision): boolean {
    if (to > this.#compacted) this.#compacted = to
    const end = Math.min(this.#firstAfter(to), this.#firstDead + COMPACT_SLICE)
    for (let index = this.#firstDead; index < end; index++) {
      const entry = this.#log[index]
      if (entry !== undefined) this.#forgetBefore(entry.key, to)
    }
    this.#firstDead = end
    if (end < this.#firstAfter(to)) return false
    this.#log = this.#log.slice(end)
    this.#firstDead = 0
    return true
  }
  /** Log entries before this one have been handled by the running compaction. */
  #firstDead = 0

  /** What a new file must hold: the state at the compacted revision, then the log. Ascending revisions. */
  entries(): readonly LogEntry[] {
    const all: LogEntry[] = []
    for (const [, versions] of this.#keys.entries('')) all.push(...versions)
    return all.sort((left, right) => left.revision - right.revision)
  }

  #assertKept(at: Revision): void {
    if (at < this.#compacted) {
      throw new StoreError('compacted', `Revision ${at} is older than the oldest kept, ${this.#compacted}`)
    }
  }

  /** Keeps the newest version at or before `to`, unless it is a delete, and everything after. */
  #forgetBefore(key: string, to: Revision): void {
    const versions = this.#keys.get(key)
    if (versions === undefined) return
    const base = versions.findLastIndex((version) => version.revision <= to)
    const drop = versions[base]?.value === undefined ? base + 1 : base
    for (const gone of versions.splice(0, Math.max(0, drop))) this.#sizeBytes -= bytesOf(gone)
    if (versions.length === 0) this.#keys.delete(key)
  }

  #eventOf(entry: LogEntry): StoreEvent {
    const versions = this.#keys.get(entry.key) ?? []
    const before = versions[versions.findIndex((version) => version.revision === entry.revision) - 1]
    const previous = before?.value === undefined ? undefined : storedOf(before, before.value)
    if (entry.value !== undefined) {
      const current = storedOf(entry, entry.value)
      return { type: 'put', revision: entry.revision, current, ...(previous === undefined ? {} : { previous }) }
    }
    if (previous === undefined) throw new StoreError('corrupt', `The log deletes ${entry.key}, which it does not hold`)
    return { type: 'delete', revision: entry.revision, key: entry.key, previous }
  }

  /** Index in the log of the first entry with a revision greater than `after`. */
  #firstAfter(after: Revision): number {
    let low = 0
    let high = this.#log.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#log[middle]?.revision ?? 0) <= after) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Rough: the value, the key, and the record around them. */
const bytesOf = (entry: LogEntry): number => (entry.value?.byteLength ?? 0) + entry.key.length + 24

/** A version as the store's contract says it. */
export function storedOf(entry: LogEntry, value: Uint8Array): StoredValue {
  return { key: entry.key, value, modRevision: entry.revision, createRevision: entry.createRevision }
}
