import { randomBytes, randomUUID } from 'node:crypto'
import { ApiError, type Clock, type HttpHeaders, type Json, type JsonObject, parseJson, type Random, silentLogger, stringifyJson } from '@orrery/api'
import { Registry } from 'prom-client'
import { createAuthenticator, hashToken } from '../auth/authenticator.ts'
import { createDefaultAuthorizer } from '../auth/default-authorizer.ts'
import { createHub } from '../create-hub.ts'
import type { Hub, HubOptions, Peer } from '../hub.ts'
import { isObject } from '../registry/json-access.ts'
import { openMemoryStore } from '../store/memory-store.ts'

/** The real clock; tests of the hub wait for events, never for time. */
export const clock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  schedule: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

export const random: Random = {
  next: () => Math.random(),
  bytes: (size) => randomBytes(size),
  uuid: () => randomUUID(),
}

export const admin: Peer = { user: { name: 'admin', groups: ['system:masters'] } }
/** A token that the test hub knows, of somebody without any right. */
export const janeToken = 'jane-token'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text: string
  /** Empty for answers that are no JSON object. */
  readonly body: JsonObject
}

export interface CallOptions {
  readonly body?: unknown
  readonly headers?: HttpHeaders
  readonly peer?: Peer
}

/** A hub on a memory store, and the shortest way to ask it something. */
export interface TestHub extends AsyncDisposable {
  readonly hub: Hub
  call(method: string, target: string, options?: CallOptions): Promise<Answer>
  get(target: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
  post(target: string, body: unknown): Promise<Answer>
  put(target: string, body: unknown): Promise<Answer>
  patch(target: string, type: 'merge' | 'json' | 'strategic' | 'apply', body: unknown): Promise<Answer>
  delete(target: string, body?: unknown): Promise<Answer>
  /** The events of a watch until it ends; bound it with timeoutSeconds or `count`. */
  watch(target: string, count?: number): Promise<readonly JsonObject[]>
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

export async function createTestHub(options: Partial<HubOptions> = {}): Promise<TestHub> {
  const store = options.store ?? (await openMemoryStore({ random }))
  const hub = await createHub({
    store,
    clock,
    random,
    log: silentLogger,
    metrics: new Registry(),
    authenticator: createAuthenticator({
      tokens: [{ sha256: hashToken(janeToken), user: { name: 'jane', groups: ['dev'] } }],
    }),
    authorizer: createDefaultAuthorizer(),
    ...options,
  })
  const call: TestHub['call'] = async (method, target, { body, headers = {}, peer = admin } = {}) => {
    const bytes = bytesOf(body)
    const signal = new AbortController().signal
    const response = await hub.handle({ method, target, headers, signal, ...(bytes === undefined ? {} : { body: bytes }) }, peer)
    const chunks: Uint8Array[] = []
    if (response.body instanceof Uint8Array) chunks.push(response.body)
    else if (response.body !== undefined) for await (const chunk of response.body) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    return { status: response.status, headers: response.headers, text, body: objectOf(text) }
  }
  const json = { 'content-type': 'application/json' }
  return {
    hub,
    call,
    get: (target, headers = {}) => call('GET', target, { headers }),
    post: (target, body) => call('POST', target, { body, headers: json }),
    put: (target, body) => call('PUT', target, { body, headers: json }),
    patch: (target, type, body) => call('PATCH', target, { body, headers: { 'content-type': patchTypes[type] } }),
    delete: (target, body) => call('DELETE', target, body === undefined ? {} : { body, headers: json }),
    watch: (target, count) => readWatch(hub, target, count),
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]()
      if (options.store === undefined) await store[Symbol.asyncDispose]()
    },
  }
}

function bytesOf(body: unknown): Uint8Array | undefined {
  if (body === undefined || body instanceof Uint8Array) return body
  return Buffer.from(typeof body === 'string' ? body : stringifyJson(body))
}

function objectOf(text: string): JsonObject {
  if (!text.startsWith('{')) return {}
  const [line = ''] = text.split('\n')
  const value: Json = parseJson(text.includes('\n{') ? line : text).value
  return isObject(value) ? value : {}
}

async function readWatch(hub: Hub, target: string, count = Number.POSITIVE_INFINITY): Promise<readonly JsonObject[]> {
  const abort = new AbortController()
  const response = await hub.handle({ method: 'GET', target, headers: {}, signal: abort.signal }, admin)
  if (response.body === undefined || response.body instanceof Uint8Array) throw new Error(`no stream: HTTP ${response.status}`)
  const events: JsonObject[] = []
  for await (const chunk of response.body) {
    for (const line of Buffer.from(chunk).toString().split('\n')) if (line !== '') events.push(objectOf(line))
    if (events.length >= count) break
  }
  abort.abort()
  return events
}

/** For `assert.throws`: an `ApiError` with this code. */
export function isApiError(code: number): (error: unknown) => boolean {
  return (error) => error instanceof ApiError && error.code === code
}
