import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))
const RESTART_MS = 100
const STOP_TIMEOUT_MS = 30_000
const LOG_TAIL = 4_000

/** A process of `main.ts` that is started again whenever it ends, as a supervisor would. */
export class Daemon implements AsyncDisposable {
  readonly name: string
  readonly #args: readonly string[]
  readonly #log: string
  #child: ChildProcess | undefined
  #stopping = false
  #starts = 0

  constructor(options: { readonly name: string; readonly args: readonly string[]; readonly log: string }) {
    this.name = options.name
    this.#args = options.args
    this.#log = options.log
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts
  }

  async start(): Promise<void> {
    if (this.#stopping) return
    const log = await open(this.#log, 'a')
    const child = spawn(process.execPath, [MAIN, ...this.#args], { stdio: ['ignore', log.fd, log.fd] })
    await log.close()
    this.#child = child
    this.#starts += 1
    child.once('exit', () => {
      this.#child = undefined
      if (!this.#stopping) void delay(RESTART_MS).then(async () => await this.start())
    })
  }

  /** SIGKILL. False when it does not run at this moment. */
  kill(): boolean {
    return this.#child?.kill('SIGKILL') === true
  }

  async logTail(): Promise<string> {
    return (await readFile(this.#log, 'utf8')).slice(-LOG_TAIL)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child === undefined) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await ended
    clearTimeout(timer)
  }
}
