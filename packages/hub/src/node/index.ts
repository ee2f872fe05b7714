/** `@orrery/hub/node`: adapters of the hub to Node.js: files, threads, sockets. */

export { KeyFileError, openKeyFile } from './key-file.ts'
export type { ReserveOptions } from './space-reserve.ts'
export { createSpaceReserve } from './space-reserve.ts'
export type { WorkerOptions, WorkerStoreOptions } from './worker-log.ts'
export { openWorkerLog, openWorkerSqliteStore } from './worker-log.ts'
