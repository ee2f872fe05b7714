import type { Logger } from '@orrery/api'
import { explainError } from './explain-error.ts'

/** What a supervised process tells its supervisor. */
export type ChildMessage =
  | { readonly type: 'ready'; readonly url?: string }
  | { readonly type: 'failed'; readonly message: string }

/** What a supervisor tells its processes. */
export type ParentMessage = { readonly type: 'stop' }

/** After a request to stop, a process that still runs this much later is ended whatever it does. */
const STOP_DEADLINE_MS = 90_000

export const isSupervised = (): boolean => process.send !== undefined

export function tell(message: ChildMessage): void {
  process.send?.(message)
}

/**
 * The frame around one process: stops on SIGINT and SIGTERM, or, under a supervisor, when that says so or is
 * gone; turns an error into words; never outlives its deadline. Returns the exit code.
 */
export async function runProcess(
  context: { readonly log: Logger; readonly port?: number; readonly dataDirectory: string },
  run: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const stopping = new AbortController()
  const stop = (reason: string) => {
    if (stopping.signal.aborted) return
    context.log.info({ reason }, 'stopping')
    stopping.abort(new Error(reason))
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref()
  }
  if (isSupervised()) {
    // A terminal sends Ctrl-C to the whole group; the supervisor says who stops when.
    process.on('SIGINT', () => undefined)
    process.on('SIGTERM', () => undefined)
    process.on('message', (message: ParentMessage) => stop(message.type))
    process.on('disconnect', () => stop('the supervisor is gone'))
  } else {
    process.on('SIGINT', () => stop('SIGINT'))
    process.on('SIGTERM', () => stop('SIGTERM'))
  }
  try {
    await run(stopping.signal)
    return 0
  } catch (error) {
    if (stopping.signal.aborted) return 0
    const message = explainError(error, context)
    context.log.error(
      { error: error instanceof Error ? { name: error.name, message: error.message, stack: error.stack } : error },
      message,
    )
    tell({ type: 'failed', message })
    if (!isSupervised()) process.stderr.write(`orrery: ${message}\n`)
    return 1
  }
}
