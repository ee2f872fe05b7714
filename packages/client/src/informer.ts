import type { Kind, KubeObject, ObjectKey } from '@orrery/api'

/**
 * The local view of one kind: a list, then a watch, repaired by listing again. Level-triggered: an event
 * only says which key to look at; handlers read the view. A relist never invents deletions of living objects.
 */
export interface Informer<T extends KubeObject> {
  readonly kind: Kind<T>
  /** True after the first complete list. */
  readonly synced: boolean
  get(key: ObjectKey): T | undefined
  list(namespace?: string): readonly T[]
  /** Objects under a key of an index given at creation, e.g. all that reference one Secret. */
  byIndex(index: string, key: string): readonly T[]
  /** Called synchronously after the view changed; a new listener hears ADDED for everything present. */
  listen(listener: InformerListener<T>): Disposable
  /** Resolves when the view is synced; rejects when `signal` aborts. */
  ready(signal?: AbortSignal): Promise<void>
  /** Lists and watches until `signal` aborts. Reconnects with back-off and jitter. Called once, by its supervisor. */
  run(signal: AbortSignal): Promise<void>
  /** Why the last attempt to list or watch failed, for health; undefined while it works. */
  readonly failure: { readonly message: string; readonly sinceMono: number } | undefined
  /** Monotonic time of the last proof of life: an event, bookmark or completed list. */
  readonly progressMono: number
}

export interface InformerEvent<T> {
  /** `initial` and `relist` come from a list, and are served at low priority. */
  readonly cause: 'initial' | 'relist' | 'watch'
  readonly type: 'added' | 'updated' | 'deleted'
  readonly key: ObjectKey
  readonly current?: T
  readonly previous?: T
}

export type InformerListener<T extends KubeObject> = (event: InformerEvent<T>) => void
