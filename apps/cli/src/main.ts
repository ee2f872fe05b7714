import { systemClock, systemRandom } from '@orrery/client/node'
import { connect } from './connection.ts'
import { runCli } from './program.ts'
import { runServer } from './server-process.ts'
import type { Output, Shell } from './shell.ts'

/** The entry of `orrery`, also as `kubectl orrery`: the real machine around {@link runCli}. */

const stopping = new AbortController()

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    isTerminal: stream.isTTY,
    ...(stream.isTTY ? { columns: stream.columns } : {}),
    write: (text) => void stream.write(text),
  }
}

/** How the reader started this program, so that the next command works as it is printed. */
function programName(): string {
  if (process.env['npm_lifecycle_event'] === 'orrery') return 'npm run orrery --'
  return 'orrery'
}

const machine: Omit<Shell, 'connect'> = {
  environment: process.env,
  directory: process.cwd(),
  clock: systemClock,
  random: systemRandom,
  out: outputOf(process.stdout),
  err: outputOf(process.stderr),
  signal: stopping.signal,
  program: programName(),
  runServer,
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => stopping.abort(new Error(`stopped by ${signal}`)))
// A reader that has seen enough, such as head, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

process.exitCode = await runCli(process.argv.slice(2), {
  ...machine,
  connect: (options) => connect(machine, options),
})
