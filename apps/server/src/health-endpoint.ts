import { createServer } from 'node:http'
import type { Health } from '@orrery/runtime'
import type { Registry } from 'prom-client'

/** `/livez`, `/readyz` and `/metrics` of a process that serves no API, on the loopback interface. */
export async function serveHealth(options: {
  readonly port: number
  readonly metrics: Registry
  readonly health: () => Health
}): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]
    if (path === '/metrics') {
      options.metrics.metrics().then(
        (text) => response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text),
        (error: unknown) => response.writeHead(500).end(String(error)),
      )
      return
    }
    if (path !== '/livez' && path !== '/readyz' && path !== '/healthz') {
      response.writeHead(404).end('404 page not found\n')
      return
    }
    const { ready, checks } = options.health()
    const lines = checks.map(
      (check) => `[${check.ok ? '+' : '-'}]${check.name} ${check.ok ? 'ok' : (check.message ?? 'failed')}`,
    )
    const ok = path === '/readyz' ? ready : checks.every((check) => check.ok)
    response
      .writeHead(ok ? 200 : 500, { 'content-type': 'text/plain; charset=utf-8' })
      .end(`${ok ? 'ok' : lines.join('\n')}\n`)
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(options.port, '127.0.0.1', () => resolve())
  await promise
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((closed) => {
        server.close(() => closed())
      })
    },
  }
}
