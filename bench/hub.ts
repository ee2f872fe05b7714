import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CustomResourceDefinition, HttpRequest, Kind, ResourceObject } from '@orrery/api'
import { customResourceDefinitions, sleep } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import type { ApiServer, NodeTransport } from '@orrery/client/node'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import { processSettings } from '../apps/server/src/process-settings.ts'

/**
 * The API over TLS, as clients in another process see it: cold start, durable creates, GETs, server-side applies,
 * LIST of 10,000, fan-out to 100 watchers. With `--kubeconfig FILE` the same against any other API server.
 */

type Widget = ResourceObject<{
  readonly replicas: number
  readonly text: string
  readonly items: readonly { readonly name: string; readonly value: string }[]
}>
const widgets: Kind<Widget> = {
  group: 'bench.orrery.dev',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  singular: 'widget',
  namespaced: true,
}
const NAMESPACE = 'default'
const CLIENTS = 64
const OBJECTS = 10_000
const WATCHERS = 100
const WATCHED = 2_000

const definition: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.bench.orrery.dev' },
  spec: {
    group: widgets.group,
    scope: 'Namespaced',
    names: { kind: widgets.kind, plural: widgets.plural, singular: widgets.singular, listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  replicas: { type: 'integer' },
                  text: { type: 'string' },
                  items: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, value: { type: 'string' } },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
}

/** About 2 KB as stored. */
function widget(name: string): Widget {
  return {
    apiVersion: 'bench.orrery.dev/v1',
    kind: 'Widget',
    metadata: { name, namespace: NAMESPACE, labels: { app: 'bench', shard: name.slice(-1) } },
    spec: {
      replicas: 3,
      text: 'x'.repeat(900),
      items: Array.from({ length: 10 }, (_, index) => ({ name: `item-${index}`, value: 'y'.repeat(40) })),
    },
  }
}

function report(figure: string, value: number, unit: string, more: Readonly<Record<string, number>> = {}): void {
  console.log(JSON.stringify({ figure, value: Math.round(value * 10) / 10, unit, ...more }))
}

/** Calls `each` for 0…count-1 over `width` callers at a time; answers the seconds it took. */
async function parallel(count: number, width: number, each: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0
  const started = performance.now()
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await each(next++)
    }),
  )
  return (performance.now() - started) / 1000
}

interface Target extends AsyncDisposable {
  readonly server: ApiServer
  readonly pid: number | undefined
}

async function startHub(): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), 'orrery-bench-'))
  const main = join(import.meta.dirname, '../apps/server/src/main.ts')
  const started = performance.now()
  // As the supervisor starts it.
  const { execArgv, env } = processSettings('hub', directory, process.env)
  const args = [...execArgv, main, 'hub', '--data-dir', directory, '--port', '0', '--log-level', 'error']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', (code) => reject(new Error(`the hub ended with code ${code}`)))
  })
  report('cold start to ready', performance.now() - started, 'ms')
  const server = loadKubeconfig({ paths: [join(directory, 'kubeconfig')] })
  return {
    server,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.send({ type: 'stop' })
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function memoryMiB(pid: number | undefined): number {
  if (pid === undefined) return 0
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib ?? 0) / 1024
}

async function measure(client: Client, transport: NodeTransport, pid: number | undefined): Promise<void> {
  await client.create(customResourceDefinitions, definition)
  for (let tries = 0; tries < 200; tries += 1) {
    const found = await client.get(customResourceDefinitions, { name: definition.metadata.name })
    if (found.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') === true)
      break
    await sleep(systemClock, 50)
  }
  report('memory, empty', memoryMiB(pid), 'MiB')
  await parallel(500, CLIENTS, async (index) => await client.create(widgets, widget(`warm-${index}`)))
  const one = await parallel(500, 1, async (index) => await client.create(widgets, widget(`one-${index}`)))
  report('creates, 1 client', 500 / one, '/s')
  const creates = await parallel(OBJECTS, CLIENTS, async (index) => await client.create(widgets, widget(`w-${index}`)))
  report('creates, 64 clients', OBJECTS / creates, '/s')
  const gets = await parallel(
    OBJECTS,
    CLIENTS,
    async (index) => await client.get(widgets, { namespace: NAMESPACE, name: `w-${index}` }),
  )
  report('GETs, 64 clients', OBJECTS / gets, '/s')
  const applies = await parallel(4_000, CLIENTS, async (index) => {
    await client.apply(widgets, widget(`a-${index % 2_000}`), { fieldManager: 'bench' })
  })
  report('server-side applies, 64 clients', 4_000 / applies, '/s')
  await measureList(transport)
  await measureWatch(client, transport)
  report('memory, 17,000 objects', memoryMiB(pid), 'MiB')
}

const request = (target: string, signal: AbortSignal): HttpRequest => ({
  method: 'GET',
  target,
  headers: { accept: 'application/json' },
  signal,
})
const collection = `/apis/bench.orrery.dev/v1/namespaces/${NAMESPACE}/widgets`

async function* chunksOf(body: Uint8Array | AsyncIterable<Uint8Array> | undefined): AsyncIterable<Uint8Array> {
  if (body instanceof Uint8Array) yield body
  else if (body !== undefined) yield* body
}

async function measureList(transport: NodeTransport): Promise<void> {
  const times: number[] = []
  let size = 0
  for (let round = 0; round < 7; round += 1) {
    const started = performance.now()
    const response = await transport.handle(
      request(`${collection}?labelSelector=app%3Dbench&limit=${OBJECTS}`, new AbortController().signal),
    )
    size = 0
    for await (const chunk of chunksOf(response.body)) size += chunk.length
    times.push(performance.now() - started)
  }
  times.sort((a, b) => a - b)
  report('LIST of 10,000', times[3] ?? 0, 'ms', { megabytes: Math.round(size / 1e5) / 10 })
}

async function measureWatch(client: Client, transport: NodeTransport): Promise<void> {
  const ending = new AbortController()
  const list = await client.list(widgets, { namespace: NAMESPACE, limit: 1 })
  const after = list.metadata.resourceVersion ?? ''
  const seen = { events: 0 }
  const watchers = Array.from({ length: WATCHERS }, async () => {
    const response = await transport.handle(request(`${collection}?watch=1&resourceVersion=${after}`, ending.signal))
    try {
      for await (const chunk of chunksOf(response.body)) for (const byte of chunk) if (byte === 10) seen.events += 1
    } catch (error) {
      if (!ending.signal.aborted) throw error
    }
  })
  await sleep(systemClock, 500)
  const started = performance.now()
  await parallel(WATCHED, CLIENTS, async (index) => await client.create(widgets, widget(`x-${index}`)))
  const wanted = WATCHED * WATCHERS
  while (seen.events < wanted && performance.now() - started < 60_000) await sleep(systemClock, 5)
  const seconds = (performance.now() - started) / 1000
  report('watch events to 100 watchers', seen.events / seconds, '/s', { missing: wanted - seen.events })
  ending.abort()
  await Promise.all(watchers)
}

const at = process.argv.indexOf('--kubeconfig')
const file = at < 0 ? undefined : process.argv[at + 1]
await using target: Target =
  file === undefined
    ? await startHub()
    : {
        server: loadKubeconfig({ paths: [file] }),
        pid: undefined,
        [Symbol.asyncDispose]: async () => await Promise.resolve(),
      }
const transport = createNodeTransport(target.server, { clock: systemClock })
const client = createClient({
  transport: transport.handle,
  clock: systemClock,
  random: systemRandom,
  userAgent: 'orrery-bench',
})
await measure(client, transport, target.pid)
await transport.close()
