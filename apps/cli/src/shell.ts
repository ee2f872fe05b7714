import type { Clock, Random } from '@orrery/api'
import type { Connection, ConnectOptions } from './connection.ts'

/** What a command may use of the machine it runs on; tests supply their own. */
export interface Shell {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Working directory, absolute. */
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
  readonly out: Output
  readonly err: Output
  /** Aborts on SIGINT and SIGTERM; commands then clean up and end. */
  readonly signal: AbortSignal
  /** How the reader starts this program, for commands that are printed as the next step. */
  readonly program: string
  readonly connect: (options: ConnectOptions) => Connection
  /** Runs a process of the server with this terminal's input and output; resolves with its exit code. */
  readonly runServer: (args: readonly string[]) => Promise<number>
}

/** A stream that text goes to. */
export interface Output {
  write(text: string): void
  /** A person is likely to look at it: colours and fitting lines to the width make sense. */
  readonly isTerminal: boolean
  /** Width of the terminal in characters. */
  readonly columns?: number
}
