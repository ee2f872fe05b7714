/** `@orrery/hub/store`: the store, its implementations and the watch cache, for composition roots, the simulator and benchmarks. */

export type {
  CachedObject,
  CacheListRequest,
  CacheListResult,
  CacheWatchRequest,
  IndexRecord,
  Match,
  WatchCache,
  WatchCacheLimits,
  WatchCacheOptions,
  WatchFrame,
} from '../cache/cache.ts'
export { createWatchCache, watchCacheLimits } from '../cache/watch-cache.ts'
export { watchLine } from '../cache/watch-line.ts'
export type { Disk } from './disk.ts'
export { DiskError } from './disk.ts'
export type { EncryptionOptions } from './encrypted-store.ts'
export { encryptedStore } from './encrypted-store.ts'
export type { EncryptionKey, Keyring } from './envelope.ts'
export { compareKeys } from './key-order.ts'
export type { ChangesRequest, ChangesResult, Log, LogOutcome, LogState } from './log.ts'
export type { LogStoreLimits } from './log-store.ts'
export { createLogStore, logStoreLimits } from './log-store.ts'
export type { MemoryStoreOptions } from './memory-store.ts'
export { openMemoryLog, openMemoryStore } from './memory-store.ts'
export type { SpaceReserve, SqliteLogOptions } from './sqlite-log.ts'
export { openSqliteLog } from './sqlite-log.ts'
export type { SqliteStoreOptions } from './sqlite-store.ts'
export { openSqliteStore } from './sqlite-store.ts'
export type {
  ListRequest,
  ListResult,
  Revision,
  Store,
  StoredValue,
  StoreErrorKind,
  StoreEvent,
  WatchRequest,
  WriteOutcome,
  WriteRequest,
} from './store.ts'
export { revision, StoreError } from './store.ts'
