import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import type { ChangesRequest, ChangesResult, Log, LogOutcome, LogState } from './log.ts'
import { type OpenedSqlite, openSqlite, pragma, storeErrorOf } from './sqlite-schema.ts'
import {
  type ListRequest,
  type ListResult,
  type Revision,
  revision,
  type StoredValue,
  StoreError,
  type StoreEvent,
  type WriteRequest,
} from './store.ts'

export interface SqliteLogOptions {
  readonly path: string
  /** Identity if the store is new: a UUID. */
  readonly newId: string
  /** Beyond this, only deletes and compactions are accepted. */
  readonly maxSizeBytes?: number
  /** Space on the same disk that is given back when it is full. */
  readonly reserve?: SpaceReserve
}

/** Keeps some of the disk back, so that deletes and compactions work on a full one. */
export interface SpaceReserve {
  /** Takes the space if it is not held and the disk has clearly more than that. Whether it is held. */
  hold(): boolean
  release(): void
}

/** The same bound as etcd's recommended largest size; a hub holds its objects in memory as well. */
export const DEFAULT_MAX_SIZE_BYTES = 8 * 1024 * 1024 * 1024
/** Log entries examined in one transaction of a compaction: about 5 ms. */
const COMPACT_SLICE = 500

/** Free pages inside the file that count as room on a full disk: 1 MiB. */
const ROOM_PAGES = 64

const NO_SPACE = 'The store has no space: reads and deletes go on. Free space and retry; nothing was written.'
const INSERT = 'INSERT INTO log(revision, key, previous, created, value, checksum) VALUES (?, ?, ?, ?, ?, ?)'
const COLUMNS = 'log.revision, log.key, log.previous, log.created, log.value, log.checksum'
/** Sorts behind every key that starts with the same prefix. */
const LAST = '\u{10ffff}'

/** One row of the log. `value` is null for a delete. */
interface Row {
  readonly revision: Revision
  readonly key: string
  readonly previous: Revision
  readonly created: Revision
  readonly value: Uint8Array | undefined
  readonly isIntact: boolean
}

/**
 * The log in one SQLite file. Everything is synchronous inside; in production it runs in a worker thread
 * (`openWorkerLog` in `node/`), in tests and the simulator in place.
 */
export function openSqliteLog(options: SqliteLogOptions): Log {
  const { database, id, ...state } = openWithRoom(options)
  return new SqliteLog(options, database, { id, ...state })
}

/** Opening writes a little: on a full disk the reserve makes room for it. */
function openWithRoom(options: SqliteLogOptions): OpenedSqlite {
  try {
    return openSqlite(options)
  } catch (error) {
    if (options.reserve === undefined || !(error instanceof StoreError && error.kind === 'full')) throw error
    options.reserve.release()
    return openSqlite(options)
  }
}

class SqliteLog implements Log {
  readonly opened: LogState
  readonly #options: SqliteLogOptions
  readonly #database: DatabaseSync
  readonly #statements: ReturnType<typeof prepareStatements>
  readonly #pageBytes: number
  #revision: Revision
  #compacted: Revision
  #isFull = false

  constructor(options: SqliteLogOptions, database: DatabaseSync, opened: LogState) {
    this.#options = options
    this.#database = database
    this.opened = opened
    this.#revision = opened.revision
    this.#compacted = opened.compacted
    this.#statements = prepareStatements(database)
    this.#pageBytes = Number(pragma(database, 'page_size'))
    options.reserve?.hold()
  }

  async commit(requests: readonly WriteRequest[]): Promise<readonly LogOutcome[]> {
    if (this.#isFull) this.#isFull = !this.#hasRoomAgain()
    try {
      return this.#transaction(() => this.#write(requests, this.#isFull || this.#isOversized()))
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'full')) throw error
    }
    this.#isFull = true
    this.#options.reserve?.release()
    try {
      return this.#transaction(() => this.#write(requests, true))
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'full')) throw error
      return requests.map(() => ({ state: 'refused', kind: 'full', message: NO_SPACE }))
    }
  }

  async get(key: string): Promise<StoredValue | undefined> {
    return this.#guarded(() => this.#current(key))
  }

  async list({ prefix, at = this.#revision, after, limit }: ListRequest): Promise<ListResult> {
    return this.#guarded(() => {
      this.#assertKept(at)
      const statement = at === this.#revision ? this.#statements.list : this.#statements.listAt
      const range = after !== undefined && after >= prefix ? after : ''
      const most = limit === undefined ? -1 : limit + 1
      const bounds = [prefix, `${prefix}${LAST}`, range, ...(at === this.#revision ? [] : [at]), most]
      const items: StoredValue[] = []
      for (const row of statement.iterate(...bounds)) {
        if (items.length === limit) return { items, revision: at, more: true }
        items.push(storedOf(rowOf(row)))
      }
      return { items, revision: at, more: false }
    })
  }

  async changes({ prefix, after, through, limit }: ChangesRequest): Promise<ChangesResult> {
    return this.#guarded(() => {
      this.#assertKept(after)
      const events: StoreEvent[] = []
      let seen = after
      let count = 0
      for (const columns of this.#statements.changes.iterate(after, through, limit)) {
        const row = rowOf(columns)
        seen = row.revision
        count++
        if (row.key.startsWith(prefix)) events.push(this.#eventOf(row))
      }
      return { events, through: count < limit ? through : seen }
    })
  }

  async compact(to: Revision): Promise<boolean> {
    try {
      return this.#transaction(() => this.#compactSlice(to))
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'full')) throw error
      this.#isFull = true
      this.#options.reserve?.release()
      return this.#transaction(() => this.#compactSlice(to))
    }
  }

  async size(): Promise<number> {
    return this.#guarded(() => Number(pragma(this.#database, 'page_count')) * this.#pageBytes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#database.isOpen) this.#guarded(() => this.#database.close())
  }

  #write(requests: readonly WriteRequest[], isFull: boolean): readonly LogOutcome[] {
    let newest = this.#revision
    const outcomes = requests.map((request): LogOutcome => {
      const previous = this.#current(request.key)
      if ((previous?.modRevision ?? 0) !== request.expected) {
        return previous === undefined ? { state: 'conflict' } : { state: 'conflict', current: previous }
      }
      if (isFull && request.value !== undefined) return { state: 'refused', kind: 'full', message: NO_SPACE }
      newest = revision(newest + 1)
      this.#append(request, newest, previous)
      return previous === undefined
        ? { state: 'written', revision: newest }
        : { state: 'written', revision: newest, previous }
    })
    if (newest > this.#revision) this.#statements.setMeta.run(newest, 'revision')
    this.#afterCommit = () => {
      this.#revision = newest
    }
    return outcomes
  }
  #afterCommit: () => void = () => undefined

  #append({ key, value }: WriteRequest, at: Revision, previous: StoredValue | undefined): void {
    // A key that was deleted continues after its last delete, which may still be in the log.
    const replaced = previous?.modRevision ?? this.#lastRevisionOf(key)
    const created = previous?.createRevision ?? at
    const checksum = checksumOf(key, at, value)
    this.#statements.insert.run(at, key, replaced, created, value ?? null, checksum)
    if (value === undefined) this.#statements.removeCurrent.run(key)
    else this.#statements.setCurrent.run(key, at)
  }

  #lastRevisionOf(key: string): number {
    const last = this.#statements.lastOf.get(key)?.['revision']
    return typeof last === 'number' ? last : 0
  }

  #current(key: string): StoredValue | undefined {
    const columns = this.#statements.current.get(key)
    return columns === undefined ? undefined : storedOf(rowOf(columns))
  }

  #eventOf(row: Row): StoreEvent {
    const before = row.previous === 0 ? undefined : this.#statements.at.get(row.previous)
    const previousRow = before === undefined ? undefined : rowOf(before)
    const previous = previousRow?.value === undefined ? undefined : storedOf(previousRow)
    if (row.value !== undefined) {
      const current = storedOf(row)
      return { type: 'put', revision: row.revision, current, ...(previous === undefined ? {} : { previous }) }
    }
    if (previous === undefined) throw new StoreError('corrupt', `The log deletes ${row.key}, which it does not hold`)
    return { type: 'delete', revision: row.revision, key: row.key, previous }
  }

  /**
   * A version dies when a version at or before `to` replaced it; a delete dies once what it deleted is
   * gone. Both are found by walking the log upwards from where the last slice ended.
   */
  #compactSlice(to: Revision): boolean {
    this.#statements.setMeta.run(to, 'compacted')
    const from = Number(this.#statements.meta.get('compacting')?.['value'] ?? 0)
    const rows = this.#statements.scan.all(from, to, COMPACT_SLICE)
    let last = from
    for (const row of rows) {
      last = Number(row['revision'])
      if (Number(row['previous']) !== 0) this.#statements.remove.run(Number(row['previous']))
      if (row['deleted'] === 1) this.#statements.remove.run(last)
    }
    const isDone = rows.length < COMPACT_SLICE
    this.#statements.putMeta.run('compacting', isDone ? to : last)
    this.#afterCommit = () => {
      this.#compacted = to
    }
    return isDone
  }

  #assertKept(at: Revision): void {
    if (at < this.#compacted) {
      throw new StoreError('compacted', `Revision ${at} is older than the oldest kept, ${this.#compacted}`)
    }
  }

  /** A wrong yes is harmless: the next write finds the disk full and is refused. */
  #hasRoomAgain(): boolean {
    const { reserve } = this.#options
    return reserve === undefined || reserve.hold() || Number(pragma(this.#database, 'freelist_count')) >= ROOM_PAGES
  }

  #isOversized(): boolean {
    const used = Number(pragma(this.#database, 'page_count')) - Number(pragma(this.#database, 'freelist_count'))
    return used * this.#pageBytes > (this.#options.maxSizeBytes ?? DEFAULT_MAX_SIZE_BYTES)
  }

  #transaction<T>(work: () => T): T {
    return this.#guarded(() => {
      this.#database.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        this.#database.exec('COMMIT')
        this.#afterCommit()
        return result
      } catch (error) {
        // SQLite itself rolls back after some errors; a second rollback would hide the first error.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
        throw error
      }
    })
  }

  #guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw storeErrorOf(error, this.#options.path)
    }
  }
}

function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql)
  return {
    insert: prepare(INSERT),
    setCurrent: prepare(
      'INSERT INTO current(key, revision) VALUES (?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision',
    ),
    removeCurrent: prepare('DELETE FROM current WHERE key = ?'),
    current: prepare(`SELECT ${COLUMNS} FROM current JOIN log USING (revision) WHERE current.key = ?`),
    lastOf: prepare('SELECT revision FROM log WHERE key = ? ORDER BY previous DESC LIMIT 1'),
    at: prepare(`SELECT ${COLUMNS} FROM log WHERE revision = ?`),
    list: prepare(
      `SELECT ${COLUMNS} FROM current CROSS JOIN log ON log.revision = current.revision
       WHERE current.key >= ? AND current.key < ? AND current.key > ? ORDER BY current.key LIMIT ?`,
    ),
    listAt: prepare(
      `SELECT ${COLUMNS} FROM
         (SELECT key, max(revision) AS newest FROM log INDEXED BY log_key_previous
          WHERE key >= ? AND key < ? AND key > ? AND revision <= ? GROUP BY key ORDER BY key) AS version
       CROSS JOIN log ON log.revision = version.newest
       WHERE log.value IS NOT NULL ORDER BY version.key LIMIT ?`,
    ),
    changes: prepare(`SELECT ${COLUMNS} FROM log WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?`),
    scan: prepare(
      'SELECT revision, previous, value IS NULL AS deleted FROM log WHERE revision > ? AND revision <= ? ORDER BY revision LIMIT ?',
    ),
    remove: prepare('DELETE FROM log WHERE revision = ?'),
    meta: prepare('SELECT value FROM meta WHERE name = ?'),
    setMeta: prepare('UPDATE meta SET value = ? WHERE name = ?'),
    putMeta: prepare('INSERT INTO meta(name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value'),
  }
}

/** Over everything that a reader relies on, so that a flipped bit in any of it is found. */
const checksumOf = (key: string, at: number, value: Uint8Array | undefined): number =>
  crc32(value ?? '-', crc32(`${at}:${key}`))

function rowOf(columns: Record<string, SQLOutputValue>): Row {
  const { revision: at, key, previous, created, value, checksum } = columns
  if (
    typeof at !== 'number' ||
    typeof key !== 'string' ||
    typeof previous !== 'number' ||
    typeof created !== 'number'
  ) {
    throw new StoreError('corrupt', 'A row of the log has lost its key or revision: restore a backup')
  }
  const bytes = value instanceof Uint8Array ? value : undefined
  return {
    revision: revision(at),
    key,
    previous: revision(previous),
    created: revision(created),
    value: bytes,
    isIntact: checksumOf(key, at, bytes) === checksum,
  }
}

function storedOf({ key, value, revision: modRevision, created, isIntact }: Row): StoredValue {
  const version = { key, modRevision, createRevision: created }
  if (isIntact && value !== undefined) return { ...version, value }
  return { ...version, value: new Uint8Array(0), unreadable: 'its checksum does not match its content' }
}
