import { ApiError, formatYaml, type HttpHeaders, type JsonObject, parseJson, stringifyJson } from '@orrery/api'
import type { CachedObject } from '../cache/cache.ts'
import type { HubCore, RegistryRequest, ServedObject } from '../registry/core.ts'
import { isObject } from '../registry/json-access.ts'
import { parseStored } from '../registry/parsed-objects.ts'
import type { Page } from '../registry/read.ts'
import type { ServedResource } from '../registry/served-resource.ts'
import { servedBytes } from '../registry/stored-form.ts'
import { includeObjectOf, partialObject, tableOf } from '../registry/table.ts'
import { headerText } from './body.ts'
import { type AnswerForm, acceptedForms, defaultForm } from './negotiate.ts'
import { parameter, type Query, textParameter } from './query.ts'

/** What a handler answers; the frame adds the headers that every answer has. */
export interface Answer {
  readonly status: number
  readonly headers: HttpHeaders
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>
}

const contentTypes = { json: 'application/json', yaml: 'application/yaml' } as const

/** A list beyond this is sent in pieces, so that it is never held twice. */
const maxJoinedBytes = 8 * 1024 * 1024
/** Large enough that a piece costs little, small enough that other requests get their turn. */
const pieceBytes = 1024 * 1024

/** Whether people read the answer: `?pretty`, the Accept parameter, or a browser or curl. */
export function isPretty(form: AnswerForm, query: Query, headers: HttpHeaders): boolean {
  const asked = parameter(query, 'pretty')
  if (asked !== undefined) return asked === '1' || asked === 'true'
  return form.pretty || /^(?:curl|Wget|Mozilla\/5\.0)/.test(headerText(headers, 'user-agent'))
}

/** Any JSON value in the form that was asked for. */
export function valueAnswer(status: number, value: unknown, form: AnswerForm, pretty = false): Answer {
  const text = form.format === 'yaml' ? formatYaml(value) : stringifyJson(value, pretty ? { indent: 2 } : undefined)
  return { status, headers: { 'content-type': contentTypes[form.format] }, body: Buffer.from(text) }
}

/** Plain text, for health checks and the like. */
export function textAnswer(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: Buffer.from(text) }
}

/** One object, as it is or transformed. */
export function objectAnswer(
  core: HubCore,
  request: RegistryRequest,
  { status, object, form }: { readonly status: number; readonly object: ServedObject; readonly form: AnswerForm },
): Answer {
  const { info, http, resource } = request
  const pretty = isPretty(form, info.query, http.headers)
  if (form.as === 'object') {
    if (form.format === 'json' && !pretty) {
      return { status, headers: { 'content-type': contentTypes.json }, body: object.bytes }
    }
    return valueAnswer(status, parseJson(object.bytes).value, form, pretty)
  }
  const value = parseStored(object.bytes)
  if (form.as !== 'Table') return valueAnswer(status, partialObject(value, form.version), form, pretty)
  const metadata = isObject(value['metadata']) ? value['metadata'] : {}
  const listMeta = { resourceVersion: metadata['resourceVersion'] ?? '' }
  return valueAnswer(status, table(core, request, { resource, objects: [value], listMeta, form }), form, pretty)
}

interface TableParts {
  readonly resource: ServedResource
  readonly objects: readonly JsonObject[]
  readonly listMeta: JsonObject
  readonly form: AnswerForm
}

function table(core: HubCore, request: RegistryRequest, { resource, objects, listMeta, form }: TableParts): JsonObject {
  const include = includeObjectOf(textParameter(request.info.query, 'includeObject'))
  const nowMs = core.clock.now()
  return tableOf({ resource, objects, listMeta, include, version: form.version, nowMs, withColumns: true })
}

/** A page of a list: spliced from the objects' own bytes unless a transformation was asked for. */
export function listAnswer(core: HubCore, request: RegistryRequest, page: Page, form: AnswerForm): Answer {
  const { info, http, resource } = request
  const pretty = isPretty(form, info.query, http.headers)
  const listMeta: JsonObject = {
    ...(resource.definition.custom || page.continue !== '' ? { continue: page.continue } : {}),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
    resourceVersion: String(page.revision),
  }
  if (form.as === 'object') {
    const pieces = listPieces(resource, page.items, listMeta)
    if (form.format === 'json' && !pretty) return bytesAnswer(pieces)
    return valueAnswer(200, parseJson(Buffer.concat(pieces)).value, form, pretty)
  }
  const objects = page.items.map((item) => parseStored(servedBytes(resource, item)))
  if (form.as === 'Table') {
    return valueAnswer(200, table(core, request, { resource, objects, listMeta, form }), form, pretty)
  }
  const items = objects.map((object) => partialObject(object, form.version))
  const list = {
    kind: 'PartialObjectMetadataList',
    apiVersion: `meta.k8s.io/${form.version}`,
    metadata: listMeta,
    items,
  }
  return valueAnswer(200, list, form, pretty)
}

const comma = Buffer.from(',')
const openBrace = Buffer.from('{')
const listEnd = Buffer.from(']}')

function listPieces(resource: ServedResource, items: readonly CachedObject[], metadata: JsonObject): Uint8Array[] {
  const { listKind, apiVersion, storedHead, definition } = resource
  const head = stringifyJson({ kind: listKind, apiVersion, metadata })
  const pieces: Uint8Array[] = [Buffer.from(`${head.slice(0, -1)},"items":[`)]
  for (const [index, item] of items.entries()) {
    if (index > 0) pieces.push(comma)
    const bytes = servedBytes(resource, item)
    // Items of built-in lists carry no type, as in Kubernetes; their bytes start with it.
    if (definition.custom) pieces.push(bytes)
    else pieces.push(openBrace, bytes.subarray(storedHead.length))
  }
  pieces.push(listEnd)
  return pieces
}

/** Whole when it is small, else in pieces with the length announced. */
function bytesAnswer(pieces: readonly Uint8Array[]): Answer {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const headers = { 'content-type': contentTypes.json, 'content-length': String(length) }
  if (length <= maxJoinedBytes) return { status: 200, headers, body: Buffer.concat(pieces, length) }
  return { status: 200, headers, body: inPieces(pieces) }
}

async function* inPieces(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = []
  let size = 0
  for (const piece of pieces) {
    pending.push(piece)
    size += piece.length
    if (size < pieceBytes) continue
    yield Buffer.concat(pending, size)
    pending = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(pending, size)
}

/** A Status, in YAML where that was asked for, else JSON. */
export function errorAnswer(error: ApiError, accept: string): Answer {
  const form = acceptedForms(accept)[0] ?? defaultForm
  const answer = valueAnswer(error.code, error.toStatus(), { ...form, as: 'object' })
  const seconds = error.details?.retryAfterSeconds
  const retry = seconds === undefined ? {} : { 'retry-after': String(seconds) }
  return { ...answer, headers: { ...answer.headers, ...retry, 'x-content-type-options': 'nosniff' } }
}
