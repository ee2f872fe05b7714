import type { Clock, HttpHandler } from '@orrery/api'

/** The process did not live to see it. */
export class ProcessDiedError extends Error {
  override readonly name = 'ProcessDiedError'
}

/**
 * One life of a process. Its timers, and the answers to what it asked, reach it only while it runs: a paused
 * process gets them when it goes on, a dead one never. Whatever it asked for before is executed all the same.
 */
export class SimulatedProcess {
  readonly clock: Clock
  readonly #base: Clock
  readonly #death = new AbortController()
  readonly #deferred: (() => void)[] = []
  #isPaused = false

  constructor(clock: Clock) {
    this.#base = clock
    this.clock = {
      now: () => clock.now(),
      mono: () => clock.mono(),
      schedule: (delayMs, callback) => {
        let isCancelled = false
        const timer = clock.schedule(delayMs, () =>
          this.#whenRunning(() => {
            if (!isCancelled) callback()
          }),
        )
        return {
          [Symbol.dispose]: () => {
            isCancelled = true
            timer[Symbol.dispose]()
          },
        }
      },
    }
  }

  /** Aborts when it dies, for what has to be cleaned up outside it. */
  get died(): AbortSignal {
    return this.#death.signal
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  kill(): void {
    this.#deferred.length = 0
    this.#death.abort(new ProcessDiedError('The process died.'))
  }

  pause(): void {
    this.#isPaused = true
  }

  /** Everything that came in between is heard one after the other, each with all that follows from it at once. */
  resume(): void {
    this.#isPaused = false
    for (const run of this.#deferred.splice(0)) this.#base.schedule(0, () => this.#whenRunning(run))
  }

  /** The result as the process sees it. What a dead process asks is answered never. */
  hold<T>(result: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      result.then(
        (value) => this.#whenRunning(() => resolve(value)),
        (error: unknown) => this.#whenRunning(() => reject(error)),
      )
    })
  }

  /** A server as this process reaches it. */
  connect(server: HttpHandler): HttpHandler {
    return async (request) => {
      if (this.died.aborted) return await new Promise<never>(() => undefined)
      const response = await this.hold(server(request))
      const { body } = response
      if (body === undefined || body instanceof Uint8Array) return response
      return { ...response, body: this.#stream(body) }
    }
  }

  async *#stream(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const iterator = body[Symbol.asyncIterator]()
    // Nobody reads a dead process's streams; the server must not keep them.
    const end = () => void iterator.return?.().catch(() => undefined)
    this.died.addEventListener('abort', end, { once: true })
    try {
      for (;;) {
        const next = await this.hold(iterator.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      this.died.removeEventListener('abort', end)
      await iterator.return?.()
    }
  }

  #whenRunning(run: () => void): void {
    if (this.died.aborted) return
    if (this.#isPaused) this.#deferred.push(run)
    else run()
  }
}
