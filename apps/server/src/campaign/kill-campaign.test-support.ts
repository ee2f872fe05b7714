import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isNotFound, isTrue, namespaces } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import { chooseFreePort } from '@orrery/provider-postgresql'
import { SeededRandom } from '@orrery/testing'
import { audit, superuserOf, unsettled } from './audit.test-support.ts'
import { Daemon } from './daemon.test-support.ts'
import { insist, KINDS, keyOf, managed, NAMESPACE, Workload } from './workload.test-support.ts'

export interface KillCampaignOptions {
  readonly kills: number
  /** Roles, databases and grants: this many of each. */
  readonly objects: number
  readonly seed: number
  /** A real Kubernetes with controllers of its own; default `orrery hub` as a process that is killed, too. */
  readonly kubeconfig?: string
  readonly say: (line: string) => void
}

export interface KillCampaignReport {
  readonly kills: Readonly<Record<string, number>>
  readonly workMs: number
  /** From the last restart until everything was as acknowledged. */
  readonly convergeMs: number
  /** Until the namespace with everything in it was gone. */
  readonly tearDownMs: number
}

const READY_TIMEOUT_MS = 60_000
/** Nothing may need a person, and nothing may need longer than this. */
const CONVERGE_TIMEOUT_MS = 120_000
const LOOK_MS = 250
const PAUSE_MS = [50, 1_200] as const
/** Short, so that a campaign kills managers that lead and not managers that wait. */
const LEASE = [
  '--leader-elect-lease-duration=2',
  '--leader-elect-renew-deadline=1.5',
  '--leader-elect-retry-period=0.2',
]

/**
 * Kills hub, manager and PostgreSQL with SIGKILL at random moments while users create, change and delete roles,
 * databases and grants. Then waits, and compares: rejects when anything was lost, doubled, left over or stuck.
 */
export async function runKillCampaign(options: KillCampaignOptions): Promise<KillCampaignReport> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'orrery-campaign-'))
  stack.defer(async () => await rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  // As root, servers live outside the data directory.
  let servers: string | undefined
  stack.defer(async () => {
    if (servers !== undefined) await rm(servers, { recursive: true, force: true, maxRetries: 5 })
  })
  const world = await startProcesses(options, directory, stack)
  const { client, daemons } = world
  try {
    servers = await serversOf(client)
    await prepare(client)
    const random = new SeededRandom(options.seed)
    const workload = new Workload(client, new SeededRandom(options.seed + 1))
    const startMs = performance.now()
    const working = workload.run(options.objects)
    const kills = await killAtRandom({ ...world, random, count: options.kills, say: options.say })
    await working
    const quietMs = performance.now()
    await untilSettled(client, workload)
    const superuser = await superuserOf(client)
    if (superuser === undefined) throw new Error('The Secret pg-admin is gone.')
    await audit(client, superuser, workload.ledger)
    const settledMs = performance.now()
    await tearDown(client)
    return {
      kills,
      workMs: Math.round(quietMs - startMs),
      convergeMs: Math.round(settledMs - quietMs),
      tearDownMs: Math.round(performance.now() - settledMs),
    }
  } catch (error) {
    options.say(error instanceof Error ? `${error.stack}` : String(error))
    for (const daemon of daemons) options.say(`── the end of the log of the ${daemon.name}:\n${await daemon.logTail()}`)
    throw error
  }
}

interface Processes {
  readonly client: Client
  readonly daemons: readonly Daemon[]
}

async function startProcesses(
  options: KillCampaignOptions,
  directory: string,
  stack: AsyncDisposableStack,
): Promise<Processes> {
  const daemons: Daemon[] = []
  const own = options.kubeconfig === undefined
  const kubeconfig = options.kubeconfig ?? join(directory, 'kubeconfig')
  const data = ['--data-dir', directory]
  if (own) {
    const args = ['hub', ...data, '--port', String(await chooseFreePort())]
    daemons.push(stack.use(new Daemon({ name: 'hub', args, log: join(directory, 'hub.log') })))
    await daemons[0]?.start()
    await until('the hub writes its kubeconfig', () => Promise.resolve(isReadable(kubeconfig)))
  }
  const args = ['manager', ...data, '--kubeconfig', kubeconfig, '--stop-servers', ...LEASE]
  const manager = stack.use(new Daemon({ name: 'manager', args, log: join(directory, 'manager.log') }))
  daemons.push(manager)
  await manager.start()
  const transport = stack.use(createNodeTransport(loadKubeconfig({ paths: [kubeconfig] }), { clock: systemClock }))
  const client = createClient({
    transport: transport.handle,
    clock: systemClock,
    random: systemRandom,
    userAgent: 'campaign',
  })
  return { client, daemons }
}

function isReadable(file: string): boolean {
  try {
    return readFileSync(file).length > 0
  } catch {
    return false // Not there yet.
  }
}

/** The server, the way into it, and the role that is granted things. */
async function prepare(client: Client): Promise<void> {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }
  await client.create(namespaces, namespace)
  await until('the kinds are served', async () => {
    try {
      await client.list(KINDS.Grant, { namespace: NAMESPACE })
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  })
  const instance = {
    forProvider: { memory: 'small' },
    writeConnectionSecretToRef: { name: 'pg-admin' },
    forceDestroy: true,
  }
  await client.create(KINDS.Instance, managed('Instance', 'pg', instance))
  await client.create(KINDS.ProviderConfig, managed('ProviderConfig', 'pg', { instanceRef: { name: 'pg' } }))
  await client.create(KINDS.Role, managed('Role', 'reader', { forProvider: { login: false } }))
  await until('the server is ready', async () => {
    const role = await client.get(KINDS.Role, keyOf('reader'))
    return isTrue(role.status?.conditions, 'Ready')
  })
}

async function killAtRandom(
  options: Processes & { readonly random: SeededRandom; readonly count: number; readonly say: (line: string) => void },
): Promise<Readonly<Record<string, number>>> {
  const { random, daemons, client } = options
  const kills: Record<string, number> = {}
  const dataDirectory = (await client.get(KINDS.Instance, keyOf('pg'))).status?.atProvider?.['dataDirectory']
  const victims = [
    ...daemons.map((daemon) => ({ name: daemon.name, kill: () => daemon.kill() })),
    { name: 'postgres', kill: () => killServer(String(dataDirectory)) },
  ]
  for (let done = 0; done < options.count; ) {
    await delay(random.integer(...PAUSE_MS))
    const victim = victims[random.integer(0, victims.length - 1)]
    if (victim === undefined || !victim.kill()) continue
    done += 1
    kills[victim.name] = (kills[victim.name] ?? 0) + 1
    options.say(`kill ${done} of ${options.count}: ${victim.name}`)
  }
  return kills
}

/** SIGKILL of the postmaster. False when it does not run at this moment. */
function killServer(dataDirectory: string): boolean {
  try {
    const pid = Number(readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[0])
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    return false // Without a pid file, or with that of a process that has ended, there is nothing to kill.
  }
}

async function untilSettled(client: Client, workload: Workload): Promise<void> {
  const deadline = performance.now() + CONVERGE_TIMEOUT_MS
  for (;;) {
    const waiting = await insist(async () => await unsettled(client, workload.ledger))
    if (waiting.length === 0) return
    if (performance.now() > deadline) {
      throw new Error(`${waiting.length} objects did not come to rest:\n${waiting.slice(0, 20).join('\n')}`)
    }
    await delay(LOOK_MS)
  }
}

async function serversOf(client: Client): Promise<string | undefined> {
  const { metadata } = await insist(async () => await client.get(namespaces, { name: 'kube-system' }))
  return process.getuid?.() === 0 && metadata.uid !== undefined ? join('/var/lib/orrery', metadata.uid) : undefined
}

/** Hundreds of databases are dropped one by one. */
const TEAR_DOWN_TIMEOUT_MS = 240_000

/** The namespace comes apart in order, and takes the server with it. */
async function tearDown(client: Client): Promise<void> {
  await insist(async () => await client.delete(namespaces, { name: NAMESPACE }))
  const isGone = async () => (await client.find(namespaces, { name: NAMESPACE })) === undefined
  await until('the namespace is gone', isGone, TEAR_DOWN_TIMEOUT_MS)
}

async function until(what: string, is: () => Promise<boolean>, timeoutMs = READY_TIMEOUT_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await insist(is))) {
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs / 1000} s in vain until ${what}.`)
    await delay(LOOK_MS)
  }
}
