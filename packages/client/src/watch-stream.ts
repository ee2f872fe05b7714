import type { Kind, KubeObject } from '@orrery/api'
import { ApiError } from '@orrery/api'
import type { WatchEvent } from './client.ts'
import { decodeBookmark, decodeFrame, decodeObject, decodeText, ProtocolError, statusCodeOf } from './wire.ts'

/** An object is at most 3 MiB at the door; its event is that plus a frame, escaped at worst. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024

const NEWLINE = 0x0a

/**
 * Splits a byte stream into lines. Whole lines of one chunk are decoded together, for a busy watch brings
 * many in one chunk. Throws {@link ProtocolError} for a line beyond {@link MAX_LINE_BYTES} and for a stream
 * that ends in the middle of a line.
 */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let rest: Uint8Array[] = []
  let restBytes = 0
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE)
    if (end < 0) {
      rest.push(chunk)
      restBytes += chunk.byteLength
      if (restBytes > MAX_LINE_BYTES) throw new ProtocolError(`A watch event is larger than ${MAX_LINE_BYTES} bytes.`)
      continue
    }
    const complete = join([...rest, chunk.subarray(0, end)])
    rest = end + 1 < chunk.byteLength ? [chunk.subarray(end + 1)] : []
    restBytes = chunk.byteLength - end - 1
    for (const line of decodeText(complete).split('\n')) if (line !== '') yield line
  }
  if (restBytes > 0) throw new ProtocolError('The watch ended in the middle of an event.')
}

/** Turns a line into an event. An ERROR frame is thrown as the `ApiError` it carries. */
export function decodeEvent<T extends KubeObject>(kind: Kind<T>, line: string, metadataOnly = false): WatchEvent<T> {
  const { type, object } = decodeFrame(line)
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object: decodeObject(kind, object, metadataOnly) }
    case 'BOOKMARK':
      return { type, ...decodeBookmark(object) }
    case 'ERROR':
      throw ApiError.fromResponse(statusCodeOf(object), object)
    default:
      throw new ProtocolError(`The server sent a watch event of the unknown type ${type}.`)
  }
}

/**
 * The chunks of a body until it ends or `signal` aborts, which throws its reason at once even when the
 * body's producer is slow to notice. The body's iterator is returned in every case.
 */
export async function* untilAborted(
  body: Uint8Array | AsyncIterable<Uint8Array> | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body === undefined) return
  if (body instanceof Uint8Array) {
    yield body
    return
  }
  const iterator = body[Symbol.asyncIterator]()
  let interrupt: ((reason: unknown) => void) | undefined
  const onAbort = () => interrupt?.(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      const result = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        interrupt = reject
        iterator.next().then(resolve, reject)
      })
      if (result.done === true) return
      yield result.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Nobody reads further: how the producer takes its dismissal changes nothing, and waiting for a
    // producer that hangs would undo the abort.
    iterator.return?.().then(undefined, () => undefined)
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}
