import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

/** The processes of the server run from its own entry; this program passes on what it is given. */
const SERVER_MAIN = fileURLToPath(new URL('../../server/src/main.ts', import.meta.url))

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** As shells have it: a process ended by a signal counts as 128 and its number. */
const SIGNAL_BASE = 128

/** Runs the server with these arguments in this terminal. Resolves with its exit code; signals sent to us reach it. */
export async function runServer(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [SERVER_MAIN, ...args], { stdio: 'inherit' })
  const forward = (signal: NodeJS.Signals) => void child.kill(signal)
  for (const signal of FORWARDED) process.on(signal, forward)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        resolve(signal === null ? (code ?? 1) : SIGNAL_BASE + constants.signals[signal])
      })
    })
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward)
  }
}
