import type { Clock, Kind, KubeObject, Logger, ObjectKey, Random } from '@orrery/api'
import { formatKey, keyOf, parseKey } from '@orrery/api'
import type { Client, Informer, InformerEvent } from '@orrery/client'
import { createDeadline } from '@orrery/client'
import type { Controller, ControllerOptions, Informers, Outcome } from './controller.ts'
import { classify, isWorthLogging } from './failure.ts'
import type { ControllerMetrics } from './metrics.ts'
import type { Priority, Work } from './queue.ts'
import { WorkQueue } from './queue.ts'

export const DEFAULT_DEADLINE_MS = 120_000
/** A reconcile that ignores its aborted signal this long is reported as stuck: its key and worker are lost until it ends. */
export const STUCK_AFTER_MS = 30_000

export interface RunControllerOptions {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly informers: Informers
  readonly metrics: ControllerMetrics
}

/** A controller and its life, as the manager holds it. */
export interface RunnableController extends Controller {
  /** Waits for its informers, then works until `signal` aborts and every reconcile has ended. Once. */
  run(signal: AbortSignal): Promise<void>
  /** Gives its informers back. After `run` has ended, or without it. */
  close(): Promise<void>
  /** Keys whose reconcile ignores its deadline. */
  stuck(): readonly string[]
}

export function createController<T extends KubeObject>(
  options: ControllerOptions<T>,
  parts: RunControllerOptions,
): RunnableController {
  return new ReconcileLoop(options, parts)
}

interface Source {
  readonly kind: Kind
  readonly metadataOnly: boolean
  readonly keys: (event: InformerEvent<KubeObject>) => readonly ObjectKey[]
}

class ReconcileLoop<T extends KubeObject> implements RunnableController {
  readonly name: string
  readonly #options: ControllerOptions<T>
  readonly #parts: RunControllerOptions
  readonly #log: Logger
  readonly #queue: WorkQueue
  readonly #sources: readonly Source[]
  /** One per source. */
  readonly #informers: readonly Informer<KubeObject>[]
  readonly #working = new Map<string, { readonly startMono: number; readonly promise: Promise<void> }>()
  #signal: AbortSignal | undefined
  #isPumpQueued = false
  /** A key was refused because the queue was full: the informers are read again once it has room. */
  #hasOverflowed = false

  constructor(options: ControllerOptions<T>, parts: RunControllerOptions) {
    this.name = options.name
    this.#options = options
    this.#parts = parts
    this.#log = parts.log.child({ controller: options.name })
    this.#queue = new WorkQueue({
      clock: parts.clock,
      random: parts.random,
      concurrency: options.concurrency,
      ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
      onReady: () => this.#queuePump(),
    })
    this.#sources = sourcesOf(options)
    this.#informers = this.#sources.map(({ kind, metadataOnly }) =>
      parts.informers.informer(kind, {}, { metadataOnly }),
    )
  }

  get depth(): number {
    return this.#queue.depth
  }

  enqueue(key: ObjectKey, priority: Priority, afterMs?: number): void {
    this.#parts.metrics.added()
    if (this.#queue.add(formatKey(key), priority, afterMs)) return
    if (!this.#hasOverflowed)
      this.#log.warn({ depth: this.depth }, 'the queue is full; its keys are read again when it has room')
    this.#hasOverflowed = true
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all(this.#informers.map((informer) => informer.ready(signal)))
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    using listeners = new DisposableStack()
    this.#signal = signal
    for (const [index, source] of this.#sources.entries()) {
      const listener = this.#informers[index]?.listen((event) => this.#hear(source, event))
      if (listener !== undefined) listeners.use(listener)
    }
    this.#pump()
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#queue.clear()
    await Promise.all([...this.#working.values()].map((work) => work.promise))
    // What was in work may have asked to be taken up again; its timer would keep the process alive.
    this.#queue.clear()
  }

  async close(): Promise<void> {
    this.#queue.clear()
    for (const { kind, metadataOnly } of this.#sources) await this.#parts.informers.release(kind, { metadataOnly })
    this.#parts.metrics.remove()
  }

  stuck(): readonly string[] {
    const limitMono = this.#parts.clock.mono() - (this.#options.deadlineMs ?? DEFAULT_DEADLINE_MS) - STUCK_AFTER_MS
    return [...this.#working].filter(([, work]) => work.startMono < limitMono).map(([key]) => key)
  }

  #hear(source: Source, event: InformerEvent<KubeObject>): void {
    const priority = event.cause === 'watch' ? 'change' : 'resync'
    for (const key of source.keys(event)) this.enqueue(key, priority)
  }

  /** Many keys become ready in one turn; one pass serves them all. */
  #queuePump(): void {
    if (this.#isPumpQueued || this.#signal === undefined) return
    this.#isPumpQueued = true
    queueMicrotask(() => this.#pump())
  }

  #pump(): void {
    this.#isPumpQueued = false
    const signal = this.#signal
    if (signal === undefined || signal.aborted) return
    this.#refill()
    while (this.#working.size < this.#options.concurrency) {
      const work = this.#queue.take()
      if (work === undefined) break
      const startMono = this.#parts.clock.mono()
      this.#working.set(work.key, { startMono, promise: this.#work(work, signal, startMono) })
    }
    this.#parts.metrics.state({ depth: this.#queue.depth, working: this.#working.size })
  }

  #refill(): void {
    if (!this.#hasOverflowed || this.#queue.readyCount > 0) return
    this.#hasOverflowed = false
    for (const [index, source] of this.#sources.entries()) {
      for (const current of this.#informers[index]?.list() ?? []) {
        this.#hear(source, { cause: 'relist', type: 'updated', key: keyOf(current), current })
      }
    }
  }

  /** Never rejects: every outcome, of whatever kind, is answered to the queue. */
  async #work(work: Work, signal: AbortSignal, startMono: number): Promise<void> {
    const { metrics, clock } = this.#parts
    metrics.waited(work.waitedMs / 1000)
    let answer: { readonly outcome: Outcome } | { readonly error: unknown }
    try {
      answer = { outcome: await this.#reconcile(work, signal) }
    } catch (error) {
      answer = { error }
    }
    const seconds = (clock.mono() - startMono) / 1000
    this.#working.delete(work.key)
    if ('error' in answer) this.#failed(work, answer.error, seconds, signal)
    else this.#succeeded(work, answer.outcome, seconds)
    this.#queuePump()
  }

  async #reconcile(work: Work, signal: AbortSignal): Promise<Outcome> {
    const { clock, client } = this.#parts
    const deadlineMs = this.#options.deadlineMs ?? DEFAULT_DEADLINE_MS
    using deadline = createDeadline({
      clock,
      timeoutMs: deadlineMs,
      onTimeout: () => new Error(`The reconcile took longer than ${deadlineMs} ms.`),
      signal,
    })
    const log = this.#log.child({ object: work.key })
    const key = parseKey(work.key)
    const { attempt, priority } = work
    return await this.#options.reconcile({ key, client, log, attempt, priority, signal: deadline.signal })
  }

  #succeeded(work: Work, outcome: Outcome, seconds: number): void {
    switch (outcome.type) {
      case 'done':
        this.#queue.succeed(work.key)
        this.#parts.metrics.reconciled('success', seconds)
        break
      case 'again':
        this.#queue.succeed(work.key, outcome.afterMs)
        this.#parts.metrics.reconciled('requeue_after', seconds)
        break
    }
  }

  #failed(work: Work, error: unknown, seconds: number, signal: AbortSignal): void {
    if (signal.aborted) {
      // Whoever comes next starts from the objects, not from this attempt.
      this.#queue.succeed(work.key)
      return
    }
    const { metrics } = this.#parts
    const failure = classify(error, work.attempt)
    if (failure.type === 'terminal') {
      this.#queue.succeed(work.key)
      metrics.reconciled('terminal_error', seconds)
      this.#log.error({ object: work.key, error }, 'reconcile failed for good; left alone until something changes')
      return
    }
    const delayMs = Math.round(this.#queue.fail(work.key, failure.minDelayMs))
    metrics.retried()
    metrics.reconciled(failure.type === 'expected' ? 'requeue' : 'error', seconds)
    const fields = { object: work.key, attempt: work.attempt, retryInMs: delayMs, error }
    if (failure.type === 'expected') this.#log.debug(fields, 'reconcile met a change or a busy server; retried')
    else if (isWorthLogging(work.attempt)) this.#log.warn(fields, 'reconcile failed; retried')
  }
}

function sourcesOf<T extends KubeObject>(options: ControllerOptions<T>): readonly Source[] {
  const own: Source = {
    kind: options.for,
    metadataOnly: options.metadataOnly === true,
    // The informer of `for` emits objects of `for`; the list of sources cannot say so.
    keys: (event) => (options.when === undefined || options.when(event as InformerEvent<T>) ? [event.key] : []),
  }
  const owned = (options.owns ?? []).map(
    (kind): Source => ({ kind, metadataOnly: true, keys: (event) => ownersOf(event, options.for) }),
  )
  const watched = (options.watches ?? []).map(
    (watch): Source => ({
      kind: watch.kind,
      metadataOnly: watch.metadataOnly === true,
      keys: (event) => (watch.when === undefined || watch.when(event) ? watch.map(event) : []),
    }),
  )
  return [own, ...owned, ...watched]
}

/** Of the object as it is and as it was: an owner that lost it has work, too. */
function ownersOf(event: InformerEvent<KubeObject>, kind: Kind): readonly ObjectKey[] {
  const keys = new Map<string, ObjectKey>()
  for (const object of [event.current, event.previous]) {
    const owner = object?.metadata.ownerReferences?.find((reference) => reference.controller === true)
    if (owner === undefined || owner.kind !== kind.kind || groupOf(owner.apiVersion) !== kind.group) continue
    const namespace = kind.namespaced ? object?.metadata.namespace : undefined
    const key = namespace === undefined ? { name: owner.name } : { namespace, name: owner.name }
    keys.set(formatKey(key), key)
  }
  return [...keys.values()]
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? '' : apiVersion.slice(0, slash)
}
