/** `@orrery/hub/node`: adapters of the hub to Node.js: files, threads, sockets. */

export { KeyFileError, openKeyFile } from './key-file.ts'
export type { KubeconfigOptions } from './kubeconfig.ts'
export { writeKubeconfig } from './kubeconfig.ts'
export type { Listener, ListenerLimits, ListenerOptions } from './listener.ts'
export { listen, listenerLimits } from './listener.ts'
export type { KeyPair, Pki, PkiOptions } from './pki.ts'
export { openPki, PkiError } from './pki.ts'
export type { ReserveOptions } from './space-reserve.ts'
export { createSpaceReserve } from './space-reserve.ts'
export type { WorkerOptions, WorkerStoreOptions } from './worker-log.ts'
export { openWorkerLog, openWorkerSqliteStore } from './worker-log.ts'
