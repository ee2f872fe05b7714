import { Worker } from 'node:worker_threads'
import type { ChangesRequest, ChangesResult, Log, LogOutcome, LogState } from '../store/log.ts'
import { createLogStore } from '../store/log-store.ts'
import type { SqliteLogOptions } from '../store/sqlite-log.ts'
import type { SqliteStoreOptions } from '../store/sqlite-store.ts'
import {
  type ListRequest,
  type ListResult,
  type Revision,
  type Store,
  type StoredValue,
  StoreError,
  type StoreErrorKind,
  type WriteRequest,
} from '../store/store.ts'
import type { ReserveOptions } from './space-reserve.ts'

/** What the worker is started with. */
export interface WorkerOptions extends Omit<SqliteLogOptions, 'reserve'> {
  readonly reserve?: ReserveOptions
}

/** The methods of the log that run in the worker, with what they take and give. */
export interface LogCalls {
  readonly commit: { readonly argument: readonly WriteRequest[]; readonly result: readonly LogOutcome[] }
  readonly get: { readonly argument: string; readonly result: StoredValue | undefined }
  readonly list: { readonly argument: ListRequest; readonly result: ListResult }
  readonly changes: { readonly argument: ChangesRequest; readonly result: ChangesResult }
  readonly compact: { readonly argument: Revision; readonly result: boolean }
  readonly size: { readonly argument: undefined; readonly result: number }
  readonly close: { readonly argument: undefined; readonly result: undefined }
}

/** A message to the worker. */
export type CallMessage = {
  readonly [Name in keyof LogCalls]: {
    readonly id: number
    readonly call: Name
    readonly argument: LogCalls[Name]['argument']
  }
}[keyof LogCalls]

export interface Failure {
  readonly kind: StoreErrorKind | undefined
  readonly message: string
}

/** A message from the worker: first `opened` (or a failure with id 0), then one answer per call. */
export type AnswerMessage =
  | { readonly id: 0; readonly opened: LogState }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: Failure }

export interface WorkerStoreOptions extends Omit<SqliteStoreOptions, 'reserve'> {
  readonly reserve?: ReserveOptions
}

/** What passes through the worker lives for one commit: V8's 48 MB would only be touched, never needed. */
const YOUNG_MEGABYTES = 6

/** The SQLite store with its file owned by a worker thread: the calling thread never waits for the disk. */
export async function openWorkerSqliteStore(options: WorkerStoreOptions): Promise<Store> {
  const { limits, ...worker } = options
  return createLogStore(await openWorkerLog(worker), limits)
}

/** The log of {@link openWorkerSqliteStore}, for decorators. Throws what opening the file throws. */
export async function openWorkerLog(options: WorkerOptions): Promise<Log> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
    workerData: options,
    execArgv: [], // The process may have been started with flags that a worker refuses.
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
  })
  const calls = new PendingCalls(worker)
  const opened = await calls.opened
  return new WorkerLog(worker, calls, opened)
}

interface Pending {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

class PendingCalls {
  readonly opened: Promise<LogState>
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  #dead: StoreError | undefined
  #lastId = 0

  constructor(worker: Worker) {
    this.#worker = worker
    this.opened = new Promise((resolve, reject) => {
      worker.on('message', (message: AnswerMessage) => {
        if ('opened' in message) resolve(message.opened)
        else if (message.id === 0 && 'failure' in message) reject(errorOf(message.failure))
        else this.#answer(message)
      })
      const die = (why: string) => {
        this.#dead = new StoreError(
          'broken',
          `The storage thread ended (${why}): whether the last writes are on disk is unknown. Restart.`,
        )
        reject(this.#dead)
        for (const { reject: rejectCall } of this.#pending.values()) rejectCall(this.#dead)
        this.#pending.clear()
      }
      worker.on('error', (error) => die(error instanceof Error ? error.message : String(error)))
      worker.on('exit', (code) => die(`exit code ${code}`))
    })
  }

  call<Name extends keyof LogCalls>(
    call: Name,
    argument: LogCalls[Name]['argument'],
  ): Promise<LogCalls[Name]['result']> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) {
        reject(this.#dead)
        return
      }
      // The worker is our own code: what it answers to this call is this call's result.
      this.#pending.set(id, { resolve: (result) => resolve(result as LogCalls[Name]['result']), reject })
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- A worker thread has no origin.
      this.#worker.postMessage({ id, call, argument })
    })
  }

  #answer(message: AnswerMessage): void {
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if ('failure' in message) pending?.reject(errorOf(message.failure))
    else if ('result' in message) pending?.resolve(message.result)
  }
}

function errorOf({ kind, message }: Failure): Error {
  return kind === undefined ? new Error(message) : new StoreError(kind, message)
}

class WorkerLog implements Log {
  readonly opened: LogState
  readonly #worker: Worker
  readonly #calls: PendingCalls
  constructor(worker: Worker, calls: PendingCalls, opened: LogState) {
    this.#worker = worker
    this.#calls = calls
    this.opened = opened
  }
  commit(requests: readonly WriteRequest[]): Promise<readonly LogOutcome[]> {
    return this.#calls.call('commit', requests)
  }
  get(key: string): Promise<StoredValue | undefined> {
    return this.#calls.call('get', key)
  }
  list(request: ListRequest): Promise<ListResult> {
    return this.#calls.call('list', request)
  }
  changes(request: ChangesRequest): Promise<ChangesResult> {
    return this.#calls.call('changes', request)
  }
  compact(to: Revision): Promise<boolean> {
    return this.#calls.call('compact', to)
  }
  size(): Promise<number> {
    return this.#calls.call('size', undefined)
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.call('close', undefined)
    await this.#worker.terminate()
  }
}
