import type { Kind, KubeObject, Logger, ObjectKey } from '@orrery/api'
import type { Client, Informer, InformerEvent } from '@orrery/client'

/**
 * Five nouns: a *source* (an informer) emits events, a *predicate* drops the uninteresting ones, a
 * *mapper* says which keys they concern, the *queue* holds each key once, the *reconciler* gets a key and
 * answers with an outcome. It never sees the event: level-triggered by construction.
 */

/** What a reconcile came to. Throwing means: retry with back-off. */
export type Outcome =
  /** Wait for the next event. */
  | { readonly type: 'done' }
  /** No error; come back. The delay is a lower bound; a change of the object comes earlier. */
  | { readonly type: 'again'; readonly afterMs: number }

export const done: Outcome = { type: 'done' }
export const again = (afterMs: number): Outcome => ({ type: 'again', afterMs })

/** Retrying cannot help until something changes: the key is logged, counted and left alone. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}

export interface ReconcileContext {
  readonly key: ObjectKey
  readonly client: Client
  /** Aborts on shutdown, on a lost lease and when the reconcile exceeds its deadline. */
  readonly signal: AbortSignal
  readonly log: Logger
  /** Why it is worked on now: something changed, or time has come to look again. */
  readonly priority: 'change' | 'resync'
  /** 1 for the first try after a success. */
  readonly attempt: number
}

/** Watches a further kind and maps its objects to keys of the controller's own kind. */
export interface Watch<T extends KubeObject = KubeObject> {
  readonly kind: Kind<T>
  map(event: InformerEvent<T>): readonly ObjectKey[]
  when?(event: InformerEvent<T>): boolean
  /** The events carry `metadata` only, at a fraction of the memory. */
  readonly metadataOnly?: boolean
}

export interface ControllerOptions<T extends KubeObject = KubeObject> {
  /** Unique in the manager; in logs, metrics and the queue. */
  readonly name: string
  readonly for: Kind<T>
  /** The informer of the own kind holds `metadata` only. */
  readonly metadataOnly?: boolean
  /** Drops events of the own kind before they are queued. */
  when?(event: InformerEvent<T>): boolean
  /** Kinds whose controller owner reference leads to an object of the own kind. */
  readonly owns?: readonly Kind[]
  readonly watches?: readonly Watch[]
  /** Keys in work at the same time; a key is never in work twice. */
  readonly concurrency: number
  readonly reconcile: (context: ReconcileContext) => Promise<Outcome>
  /** Longest a single reconcile may take before its signal aborts. Default 2 minutes. */
  readonly deadlineMs?: number
  /** Back-off after errors, doubled from `baseMs` up to `maxMs`, with jitter. Default 100 ms to 10 minutes. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number }
}

/** A running controller, as the manager and tests see it. */
export interface Controller {
  readonly name: string
  /** Puts a key into the queue from outside: another controller, a poll, a CLI request. */
  enqueue(key: ObjectKey, priority: 'change' | 'resync', afterMs?: number): void
  /** Keys waiting or in work. */
  readonly depth: number
}

/** Shares one informer per kind between all controllers of a manager. */
export interface Informers {
  /** Started on first use; `indexes` are added to the shared informer. */
  informer<T extends KubeObject>(
    kind: Kind<T>,
    indexes?: Readonly<Record<string, (object: T) => readonly string[]>>,
    options?: { readonly metadataOnly?: boolean },
  ): Informer<T>
  /** Takes back one call of `informer` for this kind and form. The informer stops when nobody uses it any more. */
  release(kind: Kind, options?: { readonly metadataOnly?: boolean }): Promise<void>
}
