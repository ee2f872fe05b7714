import type { HttpHandler, HttpRequest, HttpResponse } from '@orrery/api'

type Stored = Record<string, unknown> & { metadata: Record<string, unknown> & { name: string } }
type Watcher = (line: string) => void

/**
 * The few answers of an API server that a control loop depends on, at the HTTP port: versions, conflicts, lists
 * and watches, over one counter. It validates nothing. `outage` makes every request fail on the way.
 */
export class TinyServer {
  readonly objects = new Map<string, Stored>()
  readonly writes: string[] = []
  outage: Error | undefined
  #revision = 100
  readonly #watchers = new Map<string, Set<Watcher>>()

  readonly handle: HttpHandler = async (request) => {
    if (this.outage !== undefined) throw this.outage
    const [path = '', query = ''] = request.target.split('?')
    const parameters = new URLSearchParams(query)
    if (request.method === 'GET' && parameters.has('watch')) return this.#watch(path, parameters, request.signal)
    if (request.method === 'GET') return this.#read(path)
    const body: unknown = JSON.parse(await textOf(request))
    this.writes.push(`${request.method} ${path}`)
    return this.#write(request.method, path, body as Stored)
  }

  #read(path: string): HttpResponse {
    const object = this.objects.get(path)
    if (object !== undefined) return json(200, object)
    const isOne = /\/(namespaces\/[^/]+\/)[^/]+\/[^/]+$/.test(path)
    if (isOne) return status(404, 'NotFound', path)
    const items = [...this.objects].filter(([key]) => collectionOf(key) === path).map(([, item]) => item)
    return json(200, { kind: 'List', metadata: { resourceVersion: `${this.#revision}` }, items })
  }

  #write(method: string, path: string, body: Stored): HttpResponse {
    const key = method === 'POST' ? `${path}/${body.metadata.name}` : path
    const current = this.objects.get(key)
    if (method === 'POST' && current !== undefined) return status(409, 'AlreadyExists', key)
    if (method !== 'POST' && current === undefined) return status(404, 'NotFound', key)
    const isStale = body.metadata?.['resourceVersion'] !== current?.metadata['resourceVersion']
    if (method === 'PUT' && isStale) return status(409, 'Conflict', key)
    const resourceVersion = `${++this.#revision}`
    if (method === 'DELETE' && current !== undefined) {
      this.objects.delete(key)
      this.#tell(key, 'DELETED', { ...current, metadata: { ...current.metadata, resourceVersion } })
      return json(200, {})
    }
    const uid = current?.metadata['uid'] ?? `uid-${resourceVersion}`
    const base = method === 'PATCH' ? current : undefined
    const stored: Stored = { ...base, ...body, metadata: { ...base?.metadata, ...body.metadata, uid, resourceVersion } }
    this.objects.set(key, stored)
    this.#tell(key, current === undefined ? 'ADDED' : 'MODIFIED', stored)
    return json(200, stored)
  }

  #tell(key: string, type: string, object: Stored): void {
    for (const watcher of this.#watchers.get(collectionOf(key)) ?? []) watcher(JSON.stringify({ type, object }))
  }

  #watch(path: string, parameters: URLSearchParams, signal: AbortSignal): HttpResponse {
    const lines: string[] = []
    if (parameters.get('sendInitialEvents') === 'true') {
      for (const [key, object] of this.objects)
        if (collectionOf(key) === path) lines.push(JSON.stringify({ type: 'ADDED', object }))
      const annotations = { 'k8s.io/initial-events-end': 'true' }
      lines.push(
        JSON.stringify({
          type: 'BOOKMARK',
          object: { metadata: { resourceVersion: `${this.#revision}`, annotations } },
        }),
      )
    }
    let wake = Promise.withResolvers<void>()
    const watcher: Watcher = (line) => {
      lines.push(line)
      wake.resolve()
    }
    const watchers = this.#watchers.get(path) ?? new Set()
    this.#watchers.set(path, watchers.add(watcher))
    signal.addEventListener('abort', () => wake.resolve(), { once: true })
    async function* body() {
      while (!signal.aborted) {
        for (const line of lines.splice(0)) yield Buffer.from(`${line}\n`)
        await wake.promise
        wake = Promise.withResolvers<void>()
      }
      watchers.delete(watcher)
    }
    return { status: 200, headers: { 'content-type': 'application/json' }, body: body() }
  }
}

const collectionOf = (path: string) => path.slice(0, path.lastIndexOf('/')).replace(/\/namespaces\/[^/]+/, '')

const json = (code: number, value: unknown): HttpResponse => ({
  status: code,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(value)),
})

function status(code: number, reason: string, path: string): HttpResponse {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return json(code, {
    kind: 'Status',
    status: 'Failure',
    message: `${reason} ${name}`,
    reason,
    code,
    details: { name },
  })
}

async function textOf(request: HttpRequest): Promise<string> {
  if (request.body === undefined) return '{}'
  if (request.body instanceof Uint8Array) return Buffer.from(request.body).toString()
  return Buffer.concat(await Array.fromAsync(request.body)).toString()
}
