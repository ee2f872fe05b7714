import { spawn } from 'node:child_process'
import { open, readFile, readlink } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ExternalError } from '@orrery/provider'

/** One server process, known by the pid file in its data directory, whoever started it. */

/** User and group that servers run as; undefined: the user of this process. */
export interface RunAs {
  readonly uid: number
  readonly gid: number
}

const POLL_MS = 20
const START_TIMEOUT_MS = 60_000
const FAST_STOP_TIMEOUT_MS = 60_000
const LOG_TAIL_BYTES = 4_096

/** The pid, if that process runs this very data directory; a recycled pid does not count. */
export async function runningPid(dataDirectory: string): Promise<number | undefined> {
  const lines = await pidFile(dataDirectory)
  const pid = Number(lines?.[0])
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!isCode(error, 'EPERM')) return undefined
  }
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined)
  return cwd === undefined || path.resolve(cwd) === path.resolve(dataDirectory) ? pid : undefined
}

/** The TCP port that a running server listens on, which a changed configuration moves only with a restart. */
export async function listeningPort(dataDirectory: string): Promise<number | undefined> {
  const port = Number((await pidFile(dataDirectory))?.[3])
  return Number.isSafeInteger(port) && port > 0 ? port : undefined
}

/** Starts a server that outlives this process, and waits until it accepts connections. */
export async function startServer(options: {
  readonly bin: string
  readonly dataDirectory: string
  readonly logFile: string
  readonly runAs: RunAs | undefined
  readonly signal: AbortSignal
}): Promise<void> {
  const { dataDirectory, signal } = options
  if ((await runningPid(dataDirectory)) === undefined) {
    const log = await open(options.logFile, 'a', 0o600)
    const { size } = await log.stat()
    try {
      const child = spawn(path.join(options.bin, 'postgres'), ['-D', dataDirectory], {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
        cwd: dataDirectory,
        ...options.runAs,
      })
      const exited = Promise.withResolvers<string>()
      child.once('error', (error) => exited.resolve(error.message))
      child.once('exit', (code, killer) => exited.resolve(`it ended with ${killer ?? `code ${code}`}`))
      child.unref()
      await Promise.race([
        waitReady(dataDirectory, signal),
        exited.promise.then(async (how) => await failStart(options.logFile, { from: size, how })),
      ])
    } finally {
      await log.close()
    }
    return
  }
  await waitReady(dataDirectory, signal)
}

/** Fast shutdown: sessions are ended, everything is written. Harder only when that takes too long. */
export async function stopServer(dataDirectory: string, signal: AbortSignal): Promise<void> {
  const pid = await runningPid(dataDirectory)
  if (pid === undefined) return
  process.kill(pid, 'SIGINT')
  const deadline = performance.now() + FAST_STOP_TIMEOUT_MS
  while ((await runningPid(dataDirectory)) === pid) {
    if (performance.now() > deadline) process.kill(pid, 'SIGQUIT')
    await delay(POLL_MS, undefined, { signal })
  }
}

export async function reloadServer(dataDirectory: string): Promise<void> {
  const pid = await runningPid(dataDirectory)
  if (pid !== undefined) process.kill(pid, 'SIGHUP')
}

async function waitReady(dataDirectory: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const lines = await pidFile(dataDirectory)
    if (lines?.[7]?.trim() === 'ready') return
    if (performance.now() > deadline) {
      throw new ExternalError({
        class: 'transient',
        reason: 'StartTimeout',
        message: `The server did not become ready within ${START_TIMEOUT_MS / 1000} s.`,
      })
    }
    await delay(POLL_MS, undefined, { signal })
  }
}

// Never the fault of the spec for certain: a server killed a moment ago may still hold its lock or its memory.
async function failStart(logFile: string, start: { readonly from: number; readonly how: string }): Promise<never> {
  const complaint = await lastComplaint(logFile, start.from)
  const taken = complaint.includes('Address already in use')
  throw new ExternalError({
    class: 'transient',
    reason: taken ? 'PortTaken' : 'StartFailed',
    message: taken
      ? 'The port is in use by another program; set another spec.forProvider.port, or free it.'
      : `The server did not start: ${start.how}. ${complaint}`,
  })
}

/** What this start wrote, without the time and process in front. */
async function lastComplaint(logFile: string, from: number): Promise<string> {
  const text = (await readFile(logFile)).subarray(from).toString()
  const lines = text
    .slice(-LOG_TAIL_BYTES)
    .split('\n')
    .filter((line) => /\b(FATAL|LOG:\s+(could not bind|invalid value|syntax error|unrecognized)|ERROR)\b/.test(line))
    .map((line) => line.replace(/^.*?\b(FATAL|LOG|ERROR):\s+/, ''))
  return lines.slice(-3).join('; ')
}

async function pidFile(dataDirectory: string): Promise<readonly string[] | undefined> {
  const text = await readFile(path.join(dataDirectory, 'postmaster.pid'), 'utf8').catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  })
  return text?.split('\n')
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
