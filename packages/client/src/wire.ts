import type { HttpResponse, Kind, KubeObject } from '@orrery/api'
import { apiVersionOf, JsonError, parseJson, stringifyJson } from '@orrery/api'
import type { List } from './client.ts'

/**
 * Bytes to objects and back. The one place of this package that trusts a shape: what an API server
 * sends for a kind is that kind's type, once the outline checked here is right.
 */

/** A LIST of 100,000 objects of 2 KB fits; V8 could not hold much more in one string. */
export const MAX_RESPONSE_BYTES = 256 * 1024 * 1024

/** A server is trusted with more than a request body: a list is as big as its collection. */
const RESPONSE_LIMITS = { maxBytes: MAX_RESPONSE_BYTES, maxNodes: 100_000_000, maxKeyBytes: MAX_RESPONSE_BYTES }

/** The server sent something that is not what the API promises. Never retried: the same would come again. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/** All bytes of a response. Throws {@link ProtocolError} beyond {@link MAX_RESPONSE_BYTES}. */
export async function readBody(body: HttpResponse['body']): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array()
  if (body instanceof Uint8Array) return body
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of body) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > MAX_RESPONSE_BYTES) {
      throw new ProtocolError(`The response is larger than ${MAX_RESPONSE_BYTES} bytes. Ask for pages (limit).`)
    }
    chunks.push(chunk)
  }
  const [first] = chunks
  if (first !== undefined && chunks.length === 1) return first
  const whole = new Uint8Array(sizeBytes)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** Throws {@link ProtocolError} for anything that is not JSON. */
export function decodeJson(text: string): unknown {
  try {
    return parseJson(text, RESPONSE_LIMITS).value
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
    throw new ProtocolError('The response is not JSON. Is the address that of a Kubernetes API server?', { cause })
  }
}

export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(stringifyJson(value))
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Items of built-in lists come without `apiVersion` and `kind`; they are filled in, so that an object is always whole. */
export function decodeObject<T extends KubeObject>(kind: Kind<T>, value: unknown, metadataOnly = false): T {
  if (!isRecord(value) || !isRecord(value['metadata']) || typeof value['metadata']['name'] !== 'string') {
    throw new ProtocolError(`The server sent something that is not a ${kind.kind}: metadata.name is missing.`)
  }
  const { metadata } = value
  if (metadataOnly) return { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata } as unknown as T
  if (typeof value['kind'] === 'string' && typeof value['apiVersion'] === 'string') return value as unknown as T
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, ...value } as unknown as T
}

/** The answer to a review such as SelfSubjectAccessReview, which has no name; it is empty here. */
export function decodeReview<T extends KubeObject>(kind: Kind<T>, value: unknown): T {
  const metadata = isRecord(value) && isRecord(value['metadata']) ? value['metadata'] : {}
  return decodeObject(kind, isRecord(value) ? { ...value, metadata: { name: '', ...metadata } } : value)
}

export function decodeList<T extends KubeObject>(kind: Kind<T>, value: unknown, metadataOnly = false): List<T> {
  // Go writes an empty metadata-only list as null.
  const items: unknown = isRecord(value) && 'items' in value ? (value['items'] ?? []) : undefined
  if (!isRecord(value) || !Array.isArray(items) || !isRecord(value['metadata'])) {
    throw new ProtocolError(`The server sent something that is not a list of ${kind.plural}.`)
  }
  return {
    metadata: value['metadata'],
    items: items.map((item: unknown) => decodeObject(kind, item, metadataOnly)),
  }
}

/** One line of a watch, not yet told apart by type. */
export function decodeFrame(line: string): { readonly type: string; readonly object: unknown } {
  const frame = decodeJson(line)
  if (!isRecord(frame) || typeof frame['type'] !== 'string') {
    throw new ProtocolError('The server sent a watch event without a type.')
  }
  return { type: frame['type'], object: frame['object'] }
}

/** What a BOOKMARK says: how far the stream is, and whether the initial objects are complete. */
export function decodeBookmark(object: unknown): { resourceVersion: string; initialEventsEnd: boolean } {
  const metadata = isRecord(object) ? object['metadata'] : undefined
  const resourceVersion = isRecord(metadata) ? metadata['resourceVersion'] : undefined
  if (!isRecord(metadata) || typeof resourceVersion !== 'string') {
    throw new ProtocolError('The server sent a bookmark without a resourceVersion.')
  }
  const annotations = metadata['annotations']
  const initialEventsEnd = isRecord(annotations) && annotations['k8s.io/initial-events-end'] === 'true'
  return { resourceVersion, initialEventsEnd }
}

/** The `code` of a Status inside a stream; 500 when it has none. */
export function statusCodeOf(status: unknown): number {
  return isRecord(status) && typeof status['code'] === 'number' ? status['code'] : 500
}
