import { StoreError } from './store.ts'

/** How much may wait for one consumer before it is ended as slow. */
export interface QueueLimits {
  readonly maxItems: number
  readonly maxBytes: number
}

export interface BatchQueueOptions<T> {
  readonly limits: QueueLimits
  /** Batches that precede what is pushed, pulled one at a time; undefined when there are no more. */
  readonly prelude?: () => Promise<readonly T[] | undefined>
  /** Called once, when no more pushes are wanted. */
  readonly onEnd: () => void
  readonly signal: AbortSignal
}

interface Waiting<T> {
  readonly resolve: (result: IteratorResult<readonly T[], undefined>) => void
  readonly reject: (error: unknown) => void
}

const finished: IteratorReturnResult<undefined> = { done: true, value: undefined }

/**
 * One consumer of a stream of batches: the producer never waits, the consumer lags at most by the limits.
 * Beyond them it alone is ended: its next pull throws `slow-watcher`. Ends without an error when `signal`
 * aborts. Pull one batch at a time.
 */
export class BatchQueue<T> implements AsyncIterableIterator<readonly T[], undefined> {
  readonly #options: BatchQueueOptions<T>
  readonly #abort = () => this.#finish()
  #prelude: (() => Promise<readonly T[] | undefined>) | undefined
  #batches: (readonly T[])[] = []
  #items = 0
  #bytes = 0
  #waiting: Waiting<T> | undefined
  #state: 'open' | 'ended' = 'open'
  #error: unknown

  constructor(options: BatchQueueOptions<T>) {
    this.#options = options
    this.#prelude = options.prelude
    if (options.signal.aborted) this.#state = 'ended'
    else options.signal.addEventListener('abort', this.#abort, { once: true })
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Appends a batch, which the consumer may see as it is: it must not be changed afterwards. */
  push(batch: readonly T[], bytes: number): void {
    if (this.#state === 'ended' || batch.length === 0) return
    const waiting = this.#waiting
    if (waiting !== undefined) {
      this.#waiting = undefined
      waiting.resolve({ done: false, value: batch })
      return
    }
    this.#batches.push(batch)
    this.#items += batch.length
    this.#bytes += bytes
    const { maxItems, maxBytes } = this.#options.limits
    if (this.#items <= maxItems && this.#bytes <= maxBytes) return
    this.fail(
      new StoreError(
        'slow-watcher',
        `The watch was ended: ${this.#items} events (${this.#bytes} bytes) were waiting for it, more than ${maxItems} events or ${maxBytes} bytes. Resume from the last revision received.`,
      ),
    )
  }

  /** Drops what waits and ends with `error`. */
  fail(error: unknown): void {
    if (this.#state === 'ended') return
    this.#error = error
    const waiting = this.#waiting
    if (waiting !== undefined) this.#error = undefined
    this.#finish(waiting === undefined ? undefined : () => waiting.reject(error))
  }

  async next(): Promise<IteratorResult<readonly T[], undefined>> {
    while (this.#state === 'open' && this.#prelude !== undefined) {
      const batch = await this.#pullPrelude(this.#prelude)
      if (batch === undefined) this.#prelude = undefined
      else if (batch.length > 0 && this.isOpen) return { done: false, value: batch }
    }
    if (this.#error !== undefined) {
      const error = this.#error
      this.#error = undefined
      throw error
    }
    if (this.#state === 'ended') return finished
    if (this.#batches.length > 0) return { done: false, value: this.#take() }
    if (this.#waiting !== undefined) throw new Error('A watch is pulled by one consumer, one batch at a time')
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#finish()
    return Promise.resolve(finished)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #pullPrelude(prelude: () => Promise<readonly T[] | undefined>): Promise<readonly T[] | undefined> {
    try {
      return await prelude()
    } catch (error) {
      this.fail(error)
      return undefined
    }
  }

  #take(): readonly T[] {
    const [first, ...more] = this.#batches
    this.#batches = []
    this.#items = 0
    this.#bytes = 0
    return more.length === 0 ? (first ?? []) : [first ?? [], ...more].flat()
  }

  #finish(settle?: () => void): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#batches = []
    this.#options.signal.removeEventListener('abort', this.#abort)
    const waiting = this.#waiting
    this.#waiting = undefined
    if (settle !== undefined) settle()
    else waiting?.resolve(finished)
    this.#options.onEnd()
  }
}
