import type { Json, Kind, KubeObject, LabelSelector, ListMeta, ObjectKey } from '@orrery/api'

/**
 * A typed client for any Kubernetes-compatible API server. Kinds are values; unknown ones use
 * `Kind<KubeObject>`. Every method throws `ApiError` for what the server refused and
 * {@link ConnectionError} when it is not known whether the server acted.
 *
 * There is one implementation, over an `HttpHandler`: a kubeconfig's server, the hub in the same
 * process, and the simulated network all look the same from here.
 */

/** The connection failed. For a mutating request the outcome is unknown. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}

interface Cancellable {
  readonly signal?: AbortSignal
}

export interface ListOptions extends Cancellable {
  readonly namespace?: string
  readonly labels?: LabelSelector
  /** Field selector text, e.g. `metadata.name=a`. */
  readonly fields?: string
  readonly limit?: number
  readonly continue?: string
  /** `0` allows any cached state. */
  readonly resourceVersion?: string
  /** Objects carry `apiVersion`, `kind` and `metadata` only: all that graphs and counts need, at a fraction of the bytes. */
  readonly metadataOnly?: boolean
}

export interface List<T> {
  readonly metadata: ListMeta
  readonly items: readonly T[]
}

export interface WatchOptions extends Cancellable {
  readonly namespace?: string
  readonly labels?: LabelSelector
  readonly fields?: string
  /** Changes after this resourceVersion, from a list or an earlier event. */
  readonly after?: string
  /** Instead of `after`: first every current object as ADDED, then a bookmark with `initialEventsEnd`. */
  readonly sendInitialEvents?: boolean
  readonly timeoutSeconds?: number
  /** As in {@link ListOptions}. */
  readonly metadataOnly?: boolean
  /** Called once the server accepted the watch, before any event: a quiet kind may send nothing for minutes. */
  readonly onOpen?: () => void
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEventsEnd: boolean }

export interface WriteOptions extends Cancellable {
  readonly fieldManager?: string
  readonly dryRun?: boolean
  /** Default Strict: a controller that writes unknown fields is broken and should hear of it. */
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict'
}

export type Patch =
  | { readonly type: 'merge'; readonly body: Json }
  | { readonly type: 'json'; readonly body: readonly Json[] }
  | { readonly type: 'strategic'; readonly body: Json }

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string
  readonly force?: boolean
  readonly subresource?: 'status'
}

export interface DeleteOptions extends Cancellable {
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan'
  readonly dryRun?: boolean
}

export interface Client {
  get<T extends KubeObject>(
    kind: Kind<T>,
    key: ObjectKey,
    options?: Cancellable & { readonly resourceVersion?: string; readonly metadataOnly?: boolean },
  ): Promise<T>
  /**
   * Like `get`, but absence is an answer: the server said that this very object is not there. A 404 that
   * does not name the object (the kind is not served, a wrong path) is thrown, for it proves nothing.
   */
  find<T extends KubeObject>(
    kind: Kind<T>,
    key: ObjectKey,
    options?: Cancellable & { readonly metadataOnly?: boolean },
  ): Promise<T | undefined>
  list<T extends KubeObject>(kind: Kind<T>, options?: ListOptions): Promise<List<T>>
  /** All pages, of one snapshot; starts again when the snapshot expires in the middle. */
  listAll<T extends KubeObject>(kind: Kind<T>, options?: Omit<ListOptions, 'limit' | 'continue'>): Promise<List<T>>
  /**
   * Ends without an error when the server ends the stream or `signal` aborts. Throws `ApiError`
   * (`Expired`) when the start is too old, also when the server says so inside the stream.
   */
  watch<T extends KubeObject>(kind: Kind<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>
  create<T extends KubeObject>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>
  /** Conditional on `object.metadata.resourceVersion`. `finalize` is the subresource of namespaces. */
  update<T extends KubeObject>(
    kind: Kind<T>,
    object: T,
    options?: WriteOptions & { readonly subresource?: 'finalize' },
  ): Promise<T>
  /** The status subresource; everything but `status` is ignored by the server. Conditional likewise. */
  updateStatus<T extends KubeObject>(kind: Kind<T>, object: T, options?: WriteOptions): Promise<T>
  /** Conditional when the body names `metadata.resourceVersion`. */
  patch<T extends KubeObject>(
    kind: Kind<T>,
    key: ObjectKey,
    patch: Patch,
    options?: WriteOptions & { readonly subresource?: 'status' },
  ): Promise<T>
  /** Server-side apply; creates what is missing. */
  apply<T extends KubeObject>(kind: Kind<T>, object: T, options: ApplyOptions): Promise<T>
  /** Absence is an `ApiError` NotFound. */
  delete<T extends KubeObject>(kind: Kind<T>, key: ObjectKey, options?: DeleteOptions): Promise<void>
  /** Deletes every object the selectors match, in one namespace or (cluster-scoped kinds) everywhere. Not atomic. */
  deleteCollection<T extends KubeObject>(
    kind: Kind<T>,
    options: Omit<DeleteOptions, 'uid' | 'resourceVersion'> & Pick<ListOptions, 'namespace' | 'labels' | 'fields'>,
  ): Promise<void>
  /** A path outside the resource grammar (`/version`, `/readyz`, `/api`, `/apis`, `/openapi/v3`). Parsed JSON, or text. */
  raw(path: string, options?: Cancellable & { readonly accept?: string }): Promise<unknown>
}
