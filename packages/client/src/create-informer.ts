import type { Clock, Kind, KubeObject, LabelSelector, Logger, ObjectKey, Random } from '@orrery/api'
import { ApiError, formatKey, isExpired, keyOf, qualifiedResource, sleep } from '@orrery/api'
import type { Client, WatchEvent, WatchOptions } from './client.ts'
import { createDeadline } from './deadline.ts'
import type { Informer, InformerEvent, InformerListener } from './informer.ts'
import type { IndexFunction } from './view.ts'
import { ObjectView } from './view.ts'

/** Watches live 5 to 10 minutes, as client-go's do: long enough to be cheap, short enough to rebalance over servers. */
export const WATCH_SECONDS_MIN = 300
export const WATCH_SECONDS_MAX = 600
/** A server may end a watch late by this much; after that its silence means that it is gone. */
export const WATCH_GRACE_MS = 30_000
/** A server that ignores `sendInitialEvents` streams changes and never says that the start is complete. */
export const INITIAL_PATIENCE_MS = 60_000
/** Back-off after a failed list or watch: doubled from the first, with jitter of a half. */
export const RECONNECT_BASE_MS = 200
export const RECONNECT_MAX_MS = 30_000
/** A watch that lived shorter is taken for a failure: a server that hangs up at once must not be hammered. */
export const SHORT_WATCH_MS = 1_000
/** A resync is spread over its period in this many parts, so that no moment has to bear all objects. */
export const RESYNC_PARTS = 16

export interface InformerOptions<T extends KubeObject> {
  readonly client: Client
  readonly kind: Kind<T>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>
  readonly namespace?: string
  readonly labels?: LabelSelector
  /** Every object is announced as updated, with cause `relist`, once in this time. Default: never. */
  readonly resyncMs?: number
  /** Hold `metadata` only. */
  readonly metadataOnly?: boolean
}

/** An informer that several users share and to which each may add its indexes. */
export interface SharedInformer<T extends KubeObject> extends Informer<T> {
  addIndexes(indexes: Readonly<Record<string, IndexFunction<T>>>): void
  /** Objects in the view. */
  readonly size: number
}

/**
 * The local view of one kind. It starts with a WatchList where the server offers it, otherwise with a list
 * and a watch; after a break it resumes at the last revision seen, and lists again only when that is gone.
 */
export function createInformer<T extends KubeObject>(options: InformerOptions<T>): SharedInformer<T> {
  return new Reflector(options)
}

class Reflector<T extends KubeObject> implements SharedInformer<T> {
  readonly kind: Kind<T>
  readonly #options: InformerOptions<T>
  readonly #log: Logger
  readonly #view: ObjectView<T>
  readonly #listeners = new Set<InformerListener<T>>()
  readonly #synced = Promise.withResolvers<void>()
  /** Where to resume; undefined means that a complete list is needed. */
  #revision: string | undefined
  #isSynced = false
  #isRunning = false
  #offersWatchList = true
  #failure: { readonly message: string; readonly sinceMono: number } | undefined
  #progressMono: number
  #resyncPart = 0

  constructor(options: InformerOptions<T>) {
    this.#options = options
    this.kind = options.kind
    this.#log = options.log.child({ informer: qualifiedResource(options.kind) })
    this.#progressMono = options.clock.mono()
    this.#view = new ObjectView<T>((index, object, error) =>
      this.#log.error(
        { index, object: formatKey(keyOf(object)), error },
        'an index function failed; the object is not in that index',
      ),
    )
    this.addIndexes(options.indexes ?? {})
  }

  get synced(): boolean {
    return this.#isSynced
  }
  get failure(): { readonly message: string; readonly sinceMono: number } | undefined {
    return this.#failure
  }
  get progressMono(): number {
    return this.#progressMono
  }
  get size(): number {
    return this.#view.size
  }
  get(key: ObjectKey): T | undefined {
    return this.#view.get(key)
  }
  list(namespace?: string): readonly T[] {
    return this.#view.list(namespace)
  }
  byIndex(index: string, key: string): readonly T[] {
    return this.#view.byIndex(index, key)
  }
  addIndexes(indexes: Readonly<Record<string, IndexFunction<T>>>): void {
    for (const [index, keysOf] of Object.entries(indexes)) this.#view.addIndex(index, keysOf)
  }

  listen(listener: InformerListener<T>): Disposable {
    this.#listeners.add(listener)
    for (const current of this.#view.list()) {
      this.#tell(listener, { cause: 'initial', type: 'added', key: keyOf(current), current })
    }
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  ready(signal?: AbortSignal): Promise<void> {
    if (signal === undefined || this.#isSynced) return this.#synced.promise
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    this.#synced.promise.then(resolve, reject)
    return promise.finally(() => signal.removeEventListener('abort', abort))
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#isRunning) throw new Error(`The informer of ${qualifiedResource(this.kind)} is running already.`)
    this.#isRunning = true
    using _resync = this.#scheduleResync(signal)
    let failures = 0
    while (!signal.aborted) {
      const { clock, random } = this.#options
      const startMono = clock.mono()
      try {
        await this.#followOnce(signal)
        failures = clock.mono() - startMono < SHORT_WATCH_MS ? failures + 1 : 0
      } catch (error) {
        if (signal.aborted) break
        failures = clock.mono() - startMono > RECONNECT_MAX_MS ? 1 : failures + 1
        this.#fail(error, failures)
      }
      if (failures > 0) await pause(clock, backoffMs(failures, random.next()), signal)
    }
    this.#isRunning = false
  }

  /** One list, or one watch until it ends. */
  async #followOnce(signal: AbortSignal): Promise<void> {
    if (this.#revision !== undefined) await this.#follow({ after: this.#revision }, signal)
    else if (this.#offersWatchList) await this.#follow({ sendInitialEvents: true }, signal)
    else await this.#listThenFollow(signal)
  }

  async #listThenFollow(signal: AbortSignal): Promise<void> {
    const { client, kind } = this.#options
    const { metadata, items } = await client.listAll(kind, { ...this.#scope(), signal })
    this.#replace(items, metadata.resourceVersion)
    await this.#follow({ after: metadata.resourceVersion ?? '' }, signal)
  }

  async #follow(start: Pick<WatchOptions, 'after' | 'sendInitialEvents'>, signal: AbortSignal): Promise<void> {
    const { client, clock, random, kind } = this.#options
    const timeoutSeconds = Math.round(WATCH_SECONDS_MIN + random.next() * (WATCH_SECONDS_MAX - WATCH_SECONDS_MIN))
    let initial = start.sendInitialEvents === true ? new Map<string, T>() : undefined
    using whole = createDeadline({ clock, timeoutMs: timeoutSeconds * 1000 + WATCH_GRACE_MS, signal })
    using patience = createDeadline({ clock, ...(initial && { timeoutMs: INITIAL_PATIENCE_MS }), signal: whole.signal })
    const onOpen = () => this.#live()
    const watch = client.watch(kind, { ...this.#scope(), ...start, timeoutSeconds, onOpen, signal: patience.signal })
    try {
      for await (const event of watch) {
        this.#live()
        if (initial === undefined) this.#take(event)
        else if (event.type !== 'BOOKMARK') collect(initial, event)
        else if (event.initialEventsEnd) {
          patience.lift()
          this.#replace([...initial.values()], event.resourceVersion)
          initial = undefined
        }
      }
    } catch (error) {
      if (initial !== undefined && isRefused(error)) this.#offersWatchList = false
      if (isExpired(error)) this.#revision = undefined
      throw error
    }
    if (initial === undefined || signal.aborted) return
    this.#offersWatchList = !patience.signal.aborted
    throw new Error('The server ended the initial events before they were complete.')
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.#revision = event.resourceVersion
      return
    }
    const { object } = event
    this.#revision = object.metadata.resourceVersion ?? this.#revision
    if (event.type === 'DELETED') this.#remove(object, 'watch')
    else this.#put(object, 'watch')
  }

  /** Makes the view equal to a complete list. What is listed lives, whatever happened in between. */
  #replace(items: readonly T[], revision: string | undefined): void {
    if (revision === undefined || revision === '') {
      throw new Error('The server sent a list without a resourceVersion; the view is left as it was.')
    }
    const cause = this.#isSynced ? 'relist' : 'initial'
    const listed = new Set(items.map((object) => formatKey(keyOf(object))))
    for (const object of this.#view.list()) if (!listed.has(formatKey(keyOf(object)))) this.#remove(object, cause)
    for (const object of items) this.#put(object, cause)
    this.#revision = revision
    this.#live()
    if (this.#isSynced) return
    this.#isSynced = true
    this.#synced.resolve()
  }

  #put(object: T, cause: InformerEvent<T>['cause']): void {
    const key = keyOf(object)
    const previous = this.#view.get(key)
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) this.#remove(previous, cause)
    else if (previous !== undefined && isSameVersion(previous, object)) return
    const replaced = this.#view.set(object)
    if (replaced === undefined) this.#emit({ cause, type: 'added', key, current: object })
    else this.#emit({ cause, type: 'updated', key, current: object, previous: replaced })
  }

  /** Removes this incarnation. A later one of the same name stays. */
  #remove(object: T, cause: InformerEvent<T>['cause']): void {
    const key = keyOf(object)
    const held = this.#view.get(key)
    if (held === undefined || held.metadata.uid !== object.metadata.uid) return
    this.#view.delete(key)
    this.#emit({ cause, type: 'deleted', key, previous: object })
  }

  #emit(event: InformerEvent<T>): void {
    for (const listener of this.#listeners) this.#tell(listener, event)
  }

  #tell(listener: InformerListener<T>, event: InformerEvent<T>): void {
    try {
      listener(event)
    } catch (error) {
      // A listener that fails on one object must not keep the others, or other listeners, from theirs.
      this.#log.error({ object: formatKey(event.key), error }, 'a listener failed; it misses this event')
    }
  }

  #live(): void {
    this.#progressMono = this.#options.clock.mono()
    if (this.#failure === undefined) return
    this.#log.info({ failure: this.#failure.message }, 'works again')
    this.#failure = undefined
  }

  #fail(error: unknown, failures: number): void {
    const message = error instanceof Error ? error.message : String(error)
    this.#failure = { message, sinceMono: this.#failure?.sinceMono ?? this.#options.clock.mono() }
    if (isExpired(error)) this.#log.info({ message }, 'the revision is gone; lists again')
    else if (Number.isInteger(Math.log2(failures))) {
      this.#log.warn({ message, failures }, 'cannot follow; the view stays as it is and is tried again with back-off')
    }
  }

  #scope() {
    const { namespace, labels, metadataOnly } = this.#options
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(metadataOnly === undefined ? {} : { metadataOnly }),
    }
  }

  #scheduleResync(signal: AbortSignal): Disposable {
    const { clock, resyncMs } = this.#options
    let timer: Disposable | undefined
    const tick = () => {
      if (signal.aborted || resyncMs === undefined) return
      this.#resyncPart = (this.#resyncPart + 1) % RESYNC_PARTS
      for (const current of this.#view.list()) {
        if (partOf(current.metadata.name) !== this.#resyncPart) continue
        this.#emit({ cause: 'relist', type: 'updated', key: keyOf(current), current, previous: current })
      }
      timer = clock.schedule(resyncMs / RESYNC_PARTS, tick)
    }
    if (resyncMs !== undefined) timer = clock.schedule(resyncMs / RESYNC_PARTS, tick)
    return { [Symbol.dispose]: () => timer?.[Symbol.dispose]() }
  }
}

function collect<T extends KubeObject>(
  initial: Map<string, T>,
  event: Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>,
): void {
  const key = formatKey(keyOf(event.object))
  if (event.type === 'DELETED') initial.delete(key)
  else initial.set(key, event.object)
}

/** The server understood and does not do WatchList; anything else (throttled, broken, unauthorised) may pass. */
function isRefused(error: unknown): boolean {
  return error instanceof ApiError && [400, 405, 406, 415, 422, 501].includes(error.code)
}

function isSameVersion(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.resourceVersion !== undefined && a.metadata.resourceVersion === b.metadata.resourceVersion
}

function backoffMs(failures: number, random: number): number {
  const ceiling = Math.min(RECONNECT_MAX_MS, RECONNECT_BASE_MS * 2 ** Math.min(failures - 1, 20))
  return ceiling * (0.5 + random / 2)
}

function partOf(name: string): number {
  let hash = 0
  for (let index = 0; index < name.length; index++) hash = (hash * 31 + name.charCodeAt(index)) | 0
  return Math.abs(hash) % RESYNC_PARTS
}

async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(clock, delayMs, signal)
  } catch (error) {
    if (!signal.aborted) throw error // The caller's loop sees the abort.
  }
}
