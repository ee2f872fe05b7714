import type { HttpHandler, HttpRequest, HttpResponse, Random } from '@orrery/api'

/** A transport that answers from a list, one entry per request, and remembers the requests. */
export function createScript(answers: readonly ((request: HttpRequest) => HttpResponse)[]) {
  const requests: HttpRequest[] = []
  const handle: HttpHandler = async (request) => {
    const answer = answers[requests.length]
    requests.push(request)
    if (answer === undefined) return pending(request.signal)
    return answer(request)
  }
  return { handle, requests }
}

export function json(code: number, value: unknown, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return {
    status: code,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  }
}

export function failure(code: number, reason: string, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return json(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason }, headers)
}

/** A watch that sends these frames and ends. */
export function frames(...events: readonly unknown[]): HttpResponse {
  return stream(events.map((event) => `${JSON.stringify(event)}\n`))
}

/** A watch that sends these frames and stays open until the caller goes. */
export function openFrames(request: HttpRequest, ...events: readonly unknown[]): HttpResponse {
  async function* body() {
    for (const event of events) yield Buffer.from(`${JSON.stringify(event)}\n`)
    await aborted(request.signal)
  }
  return { status: 200, headers: {}, body: body() }
}

export function stream(texts: readonly string[]): HttpResponse {
  async function* body() {
    for (const text of texts) yield Buffer.from(text)
  }
  return { status: 200, headers: {}, body: body() }
}

export const configMap = (name: string, resourceVersion: string, uid = `uid-${name}`) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'default', name, uid, resourceVersion },
})

export const bookmark = (resourceVersion: string, isEnd = false) => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion, ...(isEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}) } },
})

export const evenRandom: Random = { next: () => 0.5, bytes: (size) => new Uint8Array(size), uuid: () => 'uuid' }

async function pending(signal: AbortSignal): Promise<HttpResponse> {
  await aborted(signal)
  throw signal.reason
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
