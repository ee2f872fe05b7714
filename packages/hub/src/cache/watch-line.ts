import type { WatchFrame } from './cache.ts'

type ObjectFrame = Exclude<WatchFrame, { readonly type: 'BOOKMARK' }>

/** Keyed by the frame, which all watchers of an event share; lives as long as the frame does. */
const lines = new WeakMap<ObjectFrame, Uint8Array>()

/**
 * The frame as one line of a watch response, `{"type":"ADDED","object":{…}}` and a newline. Encoded for
 * the first watcher that asks, the same bytes for all others: they must not be changed.
 */
export function watchLine(frame: ObjectFrame): Uint8Array {
  const known = lines.get(frame)
  if (known !== undefined) return known
  const head = `{"type":"${frame.type}","object":`
  const { bytes } = frame.object
  const line = Buffer.allocUnsafe(head.length + bytes.byteLength + 2)
  line.write(head, 'latin1')
  line.set(bytes, head.length)
  line.write('}\n', head.length + bytes.byteLength, 'latin1')
  lines.set(frame, line)
  return line
}
