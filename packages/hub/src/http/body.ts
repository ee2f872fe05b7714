import { type HttpHeaders, type HttpRequest, JsonError, type ParsedJson, parseJson, parseYaml } from '@orrery/api'
import { badRequest, requestTooLarge, unsupportedMediaType } from './errors.ts'

/** As kube-apiserver: what no single object needs, and what one request may make the hub hold. */
export const maxBodyBytes = 3 * 1024 * 1024

export const mediaTypes = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
  jsonPatch: 'application/json-patch+json',
  mergePatch: 'application/merge-patch+json',
  strategicMergePatch: 'application/strategic-merge-patch+json',
  applyPatch: 'application/apply-patch+yaml',
} as const

const nothing = new Uint8Array(0)

/** Reads the whole body. Throws 413 beyond the limit and 415 for a compressed one, before it is read where possible. */
export async function readBody(request: HttpRequest): Promise<Uint8Array> {
  const { body, headers } = request
  const encoding = headerText(headers, 'content-encoding')
  if (encoding !== '' && encoding !== 'identity') throw unsupportedMediaType(['uncompressed bodies'])
  if (body === undefined) return nothing
  if (body instanceof Uint8Array) {
    if (body.length > maxBodyBytes) throw requestTooLarge(maxBodyBytes)
    return body
  }
  if (Number(headerText(headers, 'content-length')) > maxBodyBytes) throw requestTooLarge(maxBodyBytes)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBodyBytes) throw requestTooLarge(maxBodyBytes)
    chunks.push(chunk)
  }
  return chunks.length === 1 ? (chunks[0] ?? nothing) : Buffer.concat(chunks)
}

/** One header as text, lists joined; empty when absent. */
export function headerText(headers: HttpHeaders, name: string): string {
  const value = headers[name]
  if (value === undefined) return ''
  return typeof value === 'string' ? value : value.join(',')
}

const mediaTypePattern = /^\s*([\w!#$&^.+-]+\/[\w!#$&^.+-]+)\s*(?:;\s*[\w!#$&^.+-]+=(?:"[^"]*"|[^\s;,"]+)\s*)*;?\s*$/

/** The media type of a body, without parameters, in lower case. Absent means JSON, empty that the header is malformed. */
export function contentTypeOf(headers: HttpHeaders): string {
  const text = headerText(headers, 'content-type')
  if (text === '') return mediaTypes.json
  if (text.length > maxContentTypeLength) return ''
  return (mediaTypePattern.exec(text)?.[1] ?? '').toLowerCase()
}

/** Longer than any media type with its parameters. */
const maxContentTypeLength = 1024

/** Parses JSON or YAML. `what` begins the text of a 400, e.g. `error decoding patch`. Throws 400 or 413. */
export function parseText(bytes: Uint8Array, format: 'json' | 'yaml', what: string): ParsedJson {
  try {
    return format === 'json' ? parseJson(bytes) : parseYaml(bytes, { plain: true })
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    // The bytes were within the limit: what grew too large is YAML that refers to itself.
    if (error.kind === 'too-large' && format === 'json') throw requestTooLarge(maxBodyBytes)
    throw badRequest(`${what}: ${error.message}`, error)
  }
}
