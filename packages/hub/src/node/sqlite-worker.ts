import { parentPort, workerData } from 'node:worker_threads'
import type { Log } from '../store/log.ts'
import { openSqliteLog } from '../store/sqlite-log.ts'
import { StoreError } from '../store/store.ts'
import { createSpaceReserve } from './space-reserve.ts'
import type { AnswerMessage, CallMessage, Failure, WorkerOptions } from './worker-log.ts'

/** The thread that owns the store file; started by `openWorkerLog`, never imported. */
const port = parentPort
if (port === null) throw new Error('sqlite-worker.ts runs as a worker thread only')

const answer = (message: AnswerMessage): void => port.postMessage(message)

try {
  const options: WorkerOptions = workerData
  const { reserve, ...rest } = options
  const log = openSqliteLog(reserve === undefined ? rest : { ...rest, reserve: createSpaceReserve(reserve) })
  port.on('message', (message: CallMessage) => {
    perform(log, message).then(
      (result) => answer({ id: message.id, result }),
      (error: unknown) => answer({ id: message.id, failure: failureOf(error) }),
    )
  })
  answer({ id: 0, opened: log.opened })
} catch (error) {
  answer({ id: 0, failure: failureOf(error) })
}

async function perform(log: Log, message: CallMessage): Promise<unknown> {
  let result: unknown
  switch (message.call) {
    case 'commit':
      result = await log.commit(message.argument)
      break
    case 'get':
      result = await log.get(message.argument)
      break
    case 'list':
      result = await log.list(message.argument)
      break
    case 'changes':
      result = await log.changes(message.argument)
      break
    case 'compact':
      result = await log.compact(message.argument)
      break
    case 'size':
      result = await log.size()
      break
    case 'close':
      await log[Symbol.asyncDispose]()
      break
  }
  return result
}

function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  return { kind: error instanceof StoreError ? error.kind : undefined, message }
}
