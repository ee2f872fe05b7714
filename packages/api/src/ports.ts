/**
 * The side effects of the outside world, as arguments. Real adapters live in `@orrery/client/node`;
 * the simulator supplies virtual ones, so that the same code runs under both.
 */

/** Time. A duration is always measured with {@link Clock.mono}; wall time is for people and certificates. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. May jump. */
  now(): number
  /** Monotonic milliseconds from an arbitrary origin. Never goes back. */
  mono(): number
  /** Calls `callback` once, not earlier than `delayMs` from now. Disposing the result cancels it. */
  schedule(delayMs: number, callback: () => void): Disposable
}

/** Randomness: jitter, uids, keys. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** `size` unpredictable bytes. */
  bytes(size: number): Uint8Array
  /** A version 4 UUID. */
  uuid(): string
}

/** Fields of a log line. Values must not hold secrets. */
export type LogFields = Readonly<Record<string, unknown>>

/** The part of pino's interface that Orrery uses. */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  child(fields: LogFields): Logger
}

/** A logger that drops everything, for tests and tools. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
}

/**
 * Resolves after `delayMs`, or rejects with the signal's reason as soon as `signal` aborts.
 * The timer is cancelled in both cases.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason)
      return
    }
    const abort = () => {
      timer[Symbol.dispose]()
      reject(signal?.reason)
    }
    const timer = clock.schedule(delayMs, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}
