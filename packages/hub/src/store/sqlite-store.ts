import { createLogStore, type LogStoreLimits } from './log-store.ts'
import { openSqliteLog, type SqliteLogOptions } from './sqlite-log.ts'
import type { Store } from './store.ts'

export interface SqliteStoreOptions extends SqliteLogOptions {
  readonly limits?: Partial<LogStoreLimits>
}

/**
 * The store in one SQLite file, working in this thread: for tools and tests. Production uses
 * `openWorkerSqliteStore` of `@orrery/hub/node`, the same code behind a worker thread.
 */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  return createLogStore(openSqliteLog(options), options.limits)
}
