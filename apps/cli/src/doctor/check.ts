import type { CommonOptions } from '../command.ts'
import type { Connection } from '../connection.ts'
import type { Resources } from '../resources.ts'
import type { Shell } from '../shell.ts'

/** One line of `doctor`. */
export interface Finding {
  /** What was looked at, e.g. `clock`. */
  readonly check: string
  readonly result: 'ok' | 'warn' | 'fail'
  readonly message: string
  /** The next command; given for everything that is not ok. */
  readonly next?: string
}

/** What checks of a server work with. */
export interface Examined {
  readonly shell: Shell
  readonly options: CommonOptions
  readonly connection: Connection
  readonly resources: Resources
}

export const ok = (check: string, message: string): Finding => ({ check, result: 'ok', message })
export const warn = (check: string, message: string, next: string): Finding => ({
  check,
  result: 'warn',
  message,
  next,
})
export const fail = (check: string, message: string, next: string): Finding => ({
  check,
  result: 'fail',
  message,
  next,
})
