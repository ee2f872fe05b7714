import { hostname } from 'node:os'
import path from 'node:path'
import type { Logger } from '@orrery/api'
import { createClient } from '@orrery/client'
import { createNodeTransport, kubeconfigPaths, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import { createEngine, ensureHashKey, ensureNamespace, hubIdentity, installDefinitions } from '@orrery/provider'
import type { LocalServers } from '@orrery/provider-postgresql'
import { chooseFreePort, createLocalServers, postgresql } from '@orrery/provider-postgresql'
import { addGarbageCollector, createEventRecorder, createManager, createNamespaceController } from '@orrery/runtime'
import { Registry } from 'prom-client'
import { serveHealth } from './health-endpoint.ts'
import { createEngineMetrics } from './metrics.ts'

const SYSTEM_NAMESPACE = 'orrery-system'
const LEASE = 'orrery-manager'
const SERVERS_TIMEOUT_MS = 60_000

export interface ManagerProcessOptions {
  readonly kubeconfig: string | undefined
  readonly context: string | undefined
  readonly dataDirectory: string
  /** `auto`: on when the server is an Orrery hub, which has no controllers of its own. */
  readonly housekeeping: 'auto' | 'on' | 'off'
  readonly log: Logger
  /** Called when everything is installed and the controllers run. */
  readonly onReady: () => void
  /** Port of the health endpoint on the loopback interface; none when undefined. */
  readonly healthPort: number | undefined
  readonly election: { readonly leaseMs: number; readonly renewMs: number; readonly retryMs: number }
  /** Whether a clean end also stops the servers that instances run on this machine. */
  readonly stopServers: boolean
}

/** Runs all controllers and providers against an API server until `signal` aborts. */
export async function runManager(options: ManagerProcessOptions, signal: AbortSignal): Promise<void> {
  const { log } = options
  const server = loadKubeconfig({
    paths: options.kubeconfig === undefined ? kubeconfigPaths(process.env) : [options.kubeconfig],
    ...(options.context === undefined ? {} : { context: options.context }),
  })
  const transport = createNodeTransport(server, { clock: systemClock })
  const shared = { clock: systemClock, random: systemRandom }
  const client = createClient({ ...shared, transport: transport.handle, userAgent: 'orrery-manager/0.1.0' })
  const identity = `${hostname()}_${process.pid}_${systemRandom.uuid().slice(0, 8)}`
  const metrics = new Registry()
  const events = createEventRecorder({ ...shared, client, log, component: 'orrery-manager', identity })
  try {
    const install = { client, clock: systemClock, signal }
    await ensureNamespace(SYSTEM_NAMESPACE, install)
    const hub = await hubIdentity(install)
    const servers = await createLocalServers({ root: serverRoot(options.dataDirectory, hub) })
    await servers.resumeAll(AbortSignal.any([signal, AbortSignal.timeout(SERVERS_TIMEOUT_MS)]))
    const providers = [postgresql({ servers, choosePort: chooseFreePort })]
    await installDefinitions(providers, install)
    const hashKey = await ensureHashKey({ client, random: systemRandom, namespace: SYSTEM_NAMESPACE })
    const election = { namespace: SYSTEM_NAMESPACE, name: LEASE, ...options.election }
    const manager = createManager({ ...shared, client, log, metrics, identity, election })
    await using engine = createEngine({
      ...shared,
      manager,
      client,
      log,
      events,
      metrics: createEngineMetrics(metrics),
      hub,
      systemNamespace: SYSTEM_NAMESPACE,
      hashKey,
    })
    engine.register(providers)
    if (await wantsHousekeeping(options, client)) {
      manager.add(createNamespaceController({ clock: systemClock, last: lastOf(providers) }))
      addGarbageCollector({ manager, events, log })
    }
    await using stack = new AsyncDisposableStack()
    if (options.healthPort !== undefined) {
      stack.use(await serveHealth({ port: options.healthPort, metrics, health: () => manager.health() }))
    }
    const running = manager.run(signal)
    options.onReady()
    await running
    if (options.stopServers) await stopServers(servers)
  } finally {
    await events[Symbol.asyncDispose]()
    await transport.close()
  }
}

// What others need to come apart goes last when a namespace is deleted.
function lastOf(
  providers: ReturnType<typeof postgresql>[],
): readonly { readonly group: string; readonly plural: string }[] {
  const configs = providers.flatMap(({ group, kinds, instanceKind }) => [
    { group, plural: 'providerconfigs' },
    ...kinds.filter(({ kind }) => kind === instanceKind).map(({ plural }) => ({ group, plural })),
  ])
  return [...configs, { group: '', plural: 'secrets' }]
}

async function wantsHousekeeping(
  options: ManagerProcessOptions,
  client: { raw(path: string): Promise<unknown> },
): Promise<boolean> {
  if (options.housekeeping !== 'auto') return options.housekeeping === 'on'
  const version = await client.raw('/version')
  return JSON.stringify(version).includes('+orrery')
}

// Other users cannot enter root's folders, and a server never runs as root.
function serverRoot(dataDirectory: string, hub: string): string {
  return process.getuid?.() === 0
    ? path.join('/var/lib/orrery', hub, 'postgresql')
    : path.resolve(dataDirectory, 'postgresql')
}

async function stopServers(servers: LocalServers): Promise<void> {
  await servers.stopAll(AbortSignal.timeout(SERVERS_TIMEOUT_MS))
}
