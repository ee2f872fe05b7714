/** `@orrery/hub/store`: the store's contract and its implementations, for composition roots, the simulator and benchmarks. */

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
