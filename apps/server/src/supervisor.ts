import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { processSettings } from './process-settings.ts'
import type { ChildMessage, ParentMessage } from './run-process.ts'

/** One supervised process: started, watched, started again with growing pauses when it ends unasked. */

const MIN_RESTART_MS = 500
const MAX_RESTART_MS = 30_000
/** A process that ran this long starts its pauses anew. */
const STABLE_MS = 60_000
const KILL_AFTER_MS = 100_000

/** A process could not start; `message` is what it said, for people. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

export interface ChildOptions {
  readonly name: 'hub' | 'manager'
  readonly args: readonly string[]
  readonly logs: string
  /** Something that people at the terminal should know, e.g. a crash and what is done about it. */
  readonly say: (line: string) => void
}

export class SupervisedChild {
  readonly #options: ChildOptions
  #process: ChildProcess | undefined
  #stopping = false
  #restartMs = MIN_RESTART_MS
  #restart: NodeJS.Timeout | undefined

  constructor(options: ChildOptions) {
    this.#options = options
  }

  /** Resolves with what the process said when it was ready. Rejects with {@link StartError} when it ends before. */
  async start(): Promise<{ readonly url: string | undefined }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ url: string | undefined }>()
    this.#launch({
      onReady: (url) => resolve({ url }),
      onFailure: (message) => reject(new StartError(message)),
    })
    return await promise
  }

  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restart)
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
    })
    const stop: ParentMessage = { type: 'stop' }
    if (child.connected) child.send(stop)
    else child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
    await ended
    clearTimeout(timer)
  }

  kill(): void {
    this.#stopping = true
    this.#process?.kill('SIGKILL')
  }

  #launch(listener: {
    readonly onReady: (url: string | undefined) => void
    readonly onFailure: (message: string) => void
  }): void {
    const { name, args, logs } = this.#options
    mkdirSync(logs, { recursive: true, mode: 0o700 })
    const log = openSync(path.join(logs, `${name}.log`), 'a', 0o600)
    const main = fileURLToPath(new URL('main.ts', import.meta.url))
    const startedMs = performance.now()
    const { execArgv, env } = processSettings(name, path.dirname(logs), process.env)
    const child = spawn(process.execPath, [...execArgv, main, name, ...args], {
      stdio: ['ignore', log, log, 'ipc'],
      env,
    })
    closeSync(log)
    this.#process = child
    let failure: string | undefined
    let ready = false
    child.on('message', (message: ChildMessage) => {
      if (message.type === 'failed') failure = message.message
      else {
        ready = true
        listener.onReady(message.url)
      }
    })
    child.once('error', (error) => listener.onFailure(error.message))
    child.once('exit', (code, signal) => {
      if (this.#stopping) return
      const how = failure ?? `the ${name} ended with ${signal ?? `code ${code}`}; see ${path.join(logs, `${name}.log`)}`
      if (ready) this.#restartLater(how, performance.now() - startedMs)
      else listener.onFailure(how)
    })
  }

  #restartLater(how: string, ranMs: number): void {
    if (ranMs > STABLE_MS) this.#restartMs = MIN_RESTART_MS
    const delayMs = this.#restartMs
    this.#restartMs = Math.min(delayMs * 2, MAX_RESTART_MS)
    this.#options.say(`${how.replace(/\.$/, '')}. It is started again in ${delayMs / 1000} s.`)
    this.#restart = setTimeout(() => {
      this.#launch({
        onReady: () => this.#options.say(`The ${this.#options.name} runs again.`),
        onFailure: (message) => this.#restartLater(message, 0),
      })
    }, delayMs)
  }
}
