import type {
  ListRequest,
  ListResult,
  Revision,
  StoredValue,
  StoreErrorKind,
  StoreEvent,
  WriteOutcome,
  WriteRequest,
} from './store.ts'

/**
 * What a storage engine does for `createLogStore`: an append-only log of versions, written in batches.
 * Queueing, watches and life cycle lie above it, once for all engines. Engines throw `StoreError`.
 */

/** What became of one write of a batch. */
export type LogOutcome =
  | WriteOutcome
  /** Nothing was written, and that is certain. */
  | { readonly state: 'refused'; readonly kind: StoreErrorKind; readonly message: string }

export interface LogState {
  readonly id: string
  readonly revision: Revision
  readonly compacted: Revision
}

export interface ChangesRequest {
  readonly prefix: string
  /** Events with a greater revision, up to and including `through`. */
  readonly after: Revision
  readonly through: Revision
  /** Log entries looked at, so that one read has bounded cost whatever the prefix. */
  readonly limit: number
}

export interface ChangesResult {
  readonly events: readonly StoreEvent[]
  /** Everything up to here has been looked at. */
  readonly through: Revision
}

export interface Log extends AsyncDisposable {
  /** As recovered when the log was opened. */
  readonly opened: LogState
  /**
   * Judges and applies the writes in order, as one durable unit: resolves after the sync. Never called
   * twice at the same time. When it throws, the outcome of the whole batch is unknown and the log is broken.
   */
  commit(requests: readonly WriteRequest[]): Promise<readonly LogOutcome[]>
  get(key: string): Promise<StoredValue | undefined>
  list(request: ListRequest): Promise<ListResult>
  /** Throws `compacted` when `after` lies before what is kept. */
  changes(request: ChangesRequest): Promise<ChangesResult>
  /** One bounded slice of forgetting history before `to`. Whether it is finished. */
  compact(to: Revision): Promise<boolean>
  size(): Promise<number>
}
