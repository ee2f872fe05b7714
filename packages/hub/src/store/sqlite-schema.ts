import { DatabaseSync } from 'node:sqlite'
import { type Revision, revision, StoreError, type StoreErrorKind } from './store.ts'

/** The format this code writes; see the list of migrations. */
export const SQLITE_FORMAT = 1

/** Marks the file as a store of this project (`PRAGMA application_id`). */
const APPLICATION_ID = 0x4f72_7279
/** Measured: half the size and a quarter of the load time of 4 KB pages. */
const PAGE_BYTES = 16_384
/** 4 MB between checkpoints: bounds how long one commit can stall. */
const CHECKPOINT_PAGES = 250
/** The write-ahead log is cut back to this after a checkpoint, so that one huge commit does not keep its space. */
const WAL_BYTES = 16 * 1024 * 1024

/** `synchronous=FULL` as SQLite reports it. */
const FULL = 2

/**
 * `log` holds every version; a write is conditional because (key, previous) is unique: two writes that
 * replace the same version cannot both be there. `current` points at the living versions, in key order.
 */
const SCHEMA = `
  CREATE TABLE meta(name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE log(
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    previous INTEGER NOT NULL,
    created INTEGER NOT NULL,
    value BLOB,
    checksum INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX log_key_previous ON log(key, previous);
  CREATE TABLE current(key TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`

/** Migration n brings a file of format n to n + 1, inside one transaction. */
const migrations: readonly ((database: DatabaseSync) => void)[] = [(database) => database.exec(SCHEMA)]

export interface OpenSqliteOptions {
  readonly path: string
  /** A new store's identity. */
  readonly newId: string
}

export interface OpenedSqlite {
  readonly database: DatabaseSync
  readonly id: string
  readonly revision: Revision
  readonly compacted: Revision
}

/**
 * Opens, creates or migrates the file and takes it for this process alone. Throws `locked` when another
 * process has it, `newer-format`, `corrupt` when it is damaged or no store, `full`, `broken`.
 */
export function openSqlite({ path, newId }: OpenSqliteOptions): OpenedSqlite {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: 0 })
    const state = prepare(database, newId)
    return { database, ...state }
  } catch (error) {
    if (database?.isOpen === true) database.close()
    throw storeErrorOf(error, path)
  }
}

function prepare(database: DatabaseSync, newId: string): Omit<OpenedSqlite, 'database'> {
  database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${PAGE_BYTES}`)
  const isNew = pragma(database, 'page_count') === 0
  const application = pragma(database, 'application_id')
  if (!isNew && application !== APPLICATION_ID) {
    throw new StoreError('corrupt', 'The file is a database, but not a store of this program. Name another file.')
  }
  const format = Number(pragma(database, 'user_version'))
  if (format > SQLITE_FORMAT) {
    throw new StoreError(
      'newer-format',
      `The file has format ${format}; this version reads up to ${SQLITE_FORMAT}. Run the version that wrote it, or a newer one.`,
    )
  }
  if (pragma(database, 'journal_mode = WAL') !== 'wal') throw new StoreError('broken', 'SQLite refused WAL mode')
  database.exec(
    `PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${WAL_BYTES}`,
  )
  if (pragma(database, 'synchronous') !== FULL) throw new StoreError('broken', 'SQLite refused synchronous=FULL')
  database.exec('BEGIN EXCLUSIVE') // From here on the lock is held until the file is closed.
  for (const migrate of migrations.slice(format)) migrate(database)
  if (isNew) {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    const insert = database.prepare('INSERT INTO meta(name, value) VALUES (?, ?)')
    for (const [name, value] of [
      ['id', newId],
      ['revision', 0],
      ['compacted', 0],
    ] as const)
      insert.run(name, value)
  }
  if (format < SQLITE_FORMAT) database.exec(`PRAGMA user_version = ${SQLITE_FORMAT}`)
  database.exec('COMMIT')
  // After a failed sync the log's pages may be in the page cache only, marked clean. Copied into the file and synced
  // there, what readers will see from now on is certain to survive.
  if (pragma(database, 'wal_checkpoint(TRUNCATE)') !== 0) throw new StoreError('broken', 'SQLite refused a checkpoint')
  return readState(database)
}

function readState(database: DatabaseSync): Omit<OpenedSqlite, 'database'> {
  const meta = new Map<unknown, unknown>()
  for (const row of database.prepare('SELECT name, value FROM meta').all()) meta.set(row['name'], row['value'])
  const id = meta.get('id')
  const newest = meta.get('revision')
  const compacted = meta.get('compacted')
  if (typeof id !== 'string' || typeof newest !== 'number' || typeof compacted !== 'number') {
    throw new StoreError('corrupt', 'The file lost its identity or revision: restore a backup')
  }
  // The counter is written in the same transaction as the log; if they differ, the file was tampered with.
  const last = database.prepare('SELECT max(revision) AS revision FROM log').get()?.['revision'] ?? 0
  if (typeof last !== 'number' || last > newest) {
    throw new StoreError(
      'corrupt',
      `The log ends at revision ${String(last)}, but the counter says ${newest}: restore a backup`,
    )
  }
  assertConsistent(database)
  return { id, revision: revision(newest), compacted: revision(compacted) }
}

/**
 * Rows carry checksums, the pointers to the living ones do not: a damaged one would serve an old version or
 * hide an object. Reads the index of the log only, about a second for a million versions.
 */
function assertConsistent(database: DatabaseSync): void {
  for (const query of [WRONG_POINTER, LOST_POINTER]) {
    const key = database.prepare(query).get()?.['key']
    if (key === undefined) continue
    throw new StoreError(
      'corrupt',
      `The pointer to the newest version of ${String(key)} is damaged: stop, keep a copy, and restore a backup`,
    )
  }
}

const NEWEST = 'SELECT key, max(revision) AS revision FROM log INDEXED BY log_key_previous GROUP BY key'
/** A living object whose pointer does not name its newest version. */
const WRONG_POINTER = `
  SELECT current.key FROM current LEFT JOIN (${NEWEST}) AS newest USING (key)
  WHERE current.revision IS NOT newest.revision LIMIT 1`
/** A newest version that is no delete, and that nothing points at. */
const LOST_POINTER = `
  SELECT newest.key FROM (${NEWEST}) AS newest LEFT JOIN current USING (key)
  WHERE current.key IS NULL
    AND (SELECT value IS NOT NULL FROM log WHERE log.revision = newest.revision) LIMIT 1`

/** One value of a pragma. */
export function pragma(database: DatabaseSync, text: string): unknown {
  const row = database.prepare(`PRAGMA ${text}`).get()
  return row === undefined ? undefined : Object.values(row)[0]
}

const kindOfCode: ReadonlyMap<number, StoreErrorKind> = new Map([
  [5, 'locked'],
  [6, 'locked'],
  [11, 'corrupt'],
  [13, 'full'],
  [26, 'corrupt'],
] as const)

const advice: Readonly<Partial<Record<StoreErrorKind, string>>> = {
  locked: 'Another process has the store open. Stop it, or use another data directory.',
  corrupt: 'The store file is damaged. Stop, keep a copy, and restore a backup.',
  full: 'The disk is full: reads and deletes go on. Free space and retry; nothing was written.',
  broken: 'The disk failed. Check it and restart; nothing more is written until then.',
}

/** What SQLite's result code means for the caller; a `StoreError` stays as it is, a programming error too. */
export function storeErrorOf(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error
  const kind = kindOfCode.get(error.errcode & 0xff) ?? 'broken'
  return new StoreError(kind, `${path}: ${error.message}. ${advice[kind]}`, { cause: error })
}
