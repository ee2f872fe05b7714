import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { boolean, integer, namespaces, object, silentLogger, sleep, string } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import type { ManagedObject, ProviderDefinition } from '@orrery/provider'
import {
  createEngine,
  defineKind,
  defineProvider,
  ensureHashKey,
  ensureNamespace,
  hubIdentity,
  installDefinitions,
  managedKind,
  providerConfigKind,
} from '@orrery/provider'
import { createManager } from '@orrery/runtime'
import { Registry } from 'prom-client'

/**
 * 10,000 managed resources to Ready on a backend whose every call takes 20 ms, with hub and manager as two processes on
 * one machine; then the steady world: CPU and writes at the pace of polling. Options: `[objects] [poll seconds]`.
 */

const OBJECTS = Number(process.argv[2] ?? 10_000)
const POLL_MS = Number(process.argv[3] ?? 600) * 1000
const CALL_MS = 20
const STEADY_MS = 60_000
const NAMESPACE = 'bench'
const CALLS_AT_A_TIME = 500

function report(figure: string, value: number, unit: string, more: Readonly<Record<string, number>> = {}): void {
  console.log(JSON.stringify({ figure, value: Math.round(value * 100) / 100, unit, ...more }))
}

const things = new Map<string, { size: number; uid: string; hub: string }>()
const call = async <T>(answer: () => T): Promise<T> => {
  await sleep(systemClock, CALL_MS)
  return answer()
}
const thing = defineKind<undefined>()({
  kind: 'Thing',
  plural: 'things',
  description: 'A thing in memory.',
  forProvider: object({ size: integer(), on: boolean() }),
  atProvider: object({ size: integer(), id: string() }),
  dataBearing: false,
  safety: { create: { type: 'name' }, update: { type: 'name' }, delete: { type: 'name' } },
  maxLateExecutionMs: 0,
  poll: { minMs: Math.min(60_000, POLL_MS), maxMs: POLL_MS },
  observe: async ({ externalName }) =>
    await call(() => {
      const found = things.get(externalName)
      if (found === undefined) return { state: 'absent' }
      return {
        state: 'present',
        mark: { hub: found.hub, uid: found.uid },
        atProvider: { size: found.size, id: externalName },
      }
    }),
  create: async ({ externalName, desired, mark, send }) => {
    await send(async () => await call(() => things.set(externalName, { size: desired.size, ...mark })))
    return { state: 'done' }
  },
  update: async ({ externalName, desired, mark, send }) => {
    await send(async () => await call(() => things.set(externalName, { size: desired.size, ...mark })))
    return { state: 'done' }
  },
  delete: async ({ externalName, send }) => {
    await send(async () => await call(() => things.delete(externalName)))
    return { state: 'done' }
  },
})
const provider: ProviderDefinition = defineProvider<undefined>()({
  group: 'bench.orrery.dev',
  description: 'Things in memory',
  shortName: 'bench',
  config: object({}),
  kinds: [thing],
  maxConcurrentCalls: CALLS_AT_A_TIME,
  connect: () => undefined,
  close: async () => await Promise.resolve(),
  check: async () => await Promise.resolve(),
  identify: () => 'memory',
})
const kind = managedKind(provider.group, thing)

const cpuSeconds = (pid: number): number => {
  const fields = process.getBuiltinModule('node:fs').readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')
  return (Number(fields[13]) + Number(fields[14])) / 100
}

async function untilReady(client: Client, stop: AbortSignal): Promise<void> {
  const manager = createManager({
    client,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    metrics: new Registry(),
    identity: 'watcher',
  })
  const informer = manager.informers.informer(kind)
  const running = manager.run(stop)
  await informer.ready(stop)
  const isReady = (each: ManagedObject) =>
    each.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
  while (informer.list().filter(isReady).length < OBJECTS) await sleep(systemClock, 100)
  void running
}

const directory = mkdtempSync(join(tmpdir(), 'orrery-bench-'))
const hub = spawn(
  process.execPath,
  [
    join(import.meta.dirname, '../apps/server/src/main.ts'),
    'hub',
    '--data-dir',
    directory,
    '--port',
    '0',
    '--log-level',
    'error',
  ],
  {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  },
)
await new Promise((resolve) => hub.once('message', resolve))
const pid = hub.pid ?? 0
const stopping = new AbortController()
const { signal } = stopping
const transport = createNodeTransport(loadKubeconfig({ paths: [join(directory, 'kubeconfig')] }), {
  clock: systemClock,
})
const client = createClient({
  transport: transport.handle,
  clock: systemClock,
  random: systemRandom,
  userAgent: 'orrery-bench',
})
const install = { client, clock: systemClock, signal }
await ensureNamespace('orrery-system', install)
await installDefinitions([provider], install)
const manager = createManager({
  client,
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
  metrics: new Registry(),
  identity: 'bench',
})
const engine = createEngine({
  manager,
  client,
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
  events: { record: () => undefined },
  metrics: { externalCall: () => undefined },
  hub: await hubIdentity(install),
  systemNamespace: 'orrery-system',
  hashKey: await ensureHashKey({ client, random: systemRandom, namespace: 'orrery-system' }),
  concurrency: CALLS_AT_A_TIME,
})
engine.register([provider])
const running = manager.run(signal)
await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE }, spec: {} })
await client.create(providerConfigKind(provider), {
  apiVersion: 'bench.orrery.dev/v1alpha1',
  kind: 'ProviderConfig',
  metadata: { name: 'default', namespace: NAMESPACE },
  spec: {},
})
const started = performance.now()
const cpuBefore = { hub: cpuSeconds(pid), manager: cpuSeconds(process.pid) }
let next = 0
const creating = Promise.all(
  Array.from({ length: 64 }, async () => {
    while (next < OBJECTS) {
      const name = `t-${next++}`
      // What the server defaults is left out, as users do.
      const thingObject = {
        apiVersion: 'bench.orrery.dev/v1alpha1',
        kind: 'Thing',
        metadata: { name, namespace: NAMESPACE },
        spec: { forProvider: { size: 1, on: true } },
      } as unknown as ManagedObject
      await client.create(kind, thingObject)
    }
  }),
)
const watching = new AbortController()
await Promise.all([creating, untilReady(client, watching.signal)])
watching.abort()
const seconds = (performance.now() - started) / 1000
report(`${OBJECTS} managed resources to Ready`, seconds, 's', {
  hubCpuSeconds: Math.round((cpuSeconds(pid) - cpuBefore.hub) * 10) / 10,
  managerCpuSeconds: Math.round((cpuSeconds(process.pid) - cpuBefore.manager) * 10) / 10,
})
await sleep(systemClock, 15_000)
const revisionBefore = Number((await client.list(namespaces)).metadata.resourceVersion)
const steadyBefore = { hub: cpuSeconds(pid), manager: cpuSeconds(process.pid) }
await sleep(systemClock, STEADY_MS)
const share = (before: number, now: number) => ((now - before) / (STEADY_MS / 1000)) * 100
report(`steady state of ${OBJECTS}, hub`, share(steadyBefore.hub, cpuSeconds(pid)), '% of a core')
report(`steady state of ${OBJECTS}, manager`, share(steadyBefore.manager, cpuSeconds(process.pid)), '% of a core')
report(
  'writes in a minute of steady state',
  Number((await client.list(namespaces)).metadata.resourceVersion) - revisionBefore,
  'writes',
)
stopping.abort()
await running
await engine[Symbol.asyncDispose]()
await transport.close()
const ended = new Promise((resolve) => hub.once('exit', resolve))
hub.send({ type: 'stop' })
await ended
rmSync(directory, { recursive: true, force: true })
