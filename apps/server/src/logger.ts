import type { Logger } from '@orrery/api'
import { pino } from 'pino'

/** Where log lines go: a file, or the standard output of a process that is run by itself. */
export interface LogTarget {
  /** Absent: standard output. */
  readonly file?: string
  readonly level: string
  readonly component: string
}

/** JSON lines with wall time, the component and the fields given. Written at once, so that a crash keeps its last words. */
export function createLogger(target: LogTarget): Logger {
  const destination = pino.destination({ dest: target.file ?? 1, sync: true, mkdir: true })
  return pino({ level: target.level, base: { component: target.component } }, destination)
}
