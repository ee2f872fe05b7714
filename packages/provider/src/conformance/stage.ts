import { namespaces, sleep } from '@orrery/api'
import type { Manager } from '@orrery/runtime'
import { createManager, createNamespaceController } from '@orrery/runtime'
import { ensureHashKey } from '../engine/credentials.ts'
import { createEngine } from '../engine/engine.ts'
import { ensureNamespace, hubIdentity, installDefinitions } from '../install.ts'
import { Gate, KilledError } from './gate.ts'
import type { ConformanceWorld } from './harness.ts'

/** A lease that is lost and taken over in seconds, so that tests in real time can afford it. */
const ELECTION = { name: 'conformance', leaseMs: 3_000, renewMs: 2_000, retryMs: 300 }

/** One manager of a world, behind its gate. */
export interface Life extends AsyncDisposable {
  readonly gate: Gate
  /** Ends when the manager does; never rejects for a death that the test wanted. */
  readonly ended: Promise<unknown>
  /** What it told by events, in order. */
  readonly events: readonly ToldEvent[]
}

export interface ToldEvent {
  readonly name: string
  readonly reason: string
  readonly message: string
}

/** Installs what managers need, once per world. */
export async function prepareStage(world: ConformanceWorld): Promise<void> {
  const { client, clock, provider, systemNamespace } = world
  const install = { client, clock, signal: new AbortController().signal }
  await ensureNamespace(systemNamespace, install)
  await installDefinitions([provider], install)
  const found = await client.find(namespaces, { name: world.namespace })
  if (found === undefined) throw new Error(`The harness did not make the namespace ${world.namespace}.`)
  await world.createConfig()
}

/** Starts a manager. Disposing it ends it as a clean shutdown does, unless it was killed before. */
export async function startLife(
  world: ConformanceWorld,
  options: {
    readonly killAt?: number
    readonly isElected?: boolean
    readonly keepsHouse?: boolean
    readonly gate?: Gate
  } = {},
): Promise<Life> {
  const { clock, random, log, systemNamespace } = world
  const gate = options.gate ?? new Gate({ clock, killAt: options.killAt ?? 0 })
  const client = gate.client(world.client)
  const stop = new AbortController()
  const hub = await hubIdentity({ client: world.client, signal: stop.signal })
  const hashKey = await ensureHashKey({ client: world.client, random, namespace: systemNamespace })
  const shared = { client, clock, random, log }
  const events: ToldEvent[] = []
  const manager = createManager({
    ...shared,
    metrics: world.createMetrics(),
    identity: `conformance-${random.uuid()}`,
    ...(options.isElected === true ? { election: { ...ELECTION, namespace: systemNamespace } } : {}),
  })
  const engine = createEngine({
    ...shared,
    manager,
    events: {
      record: ({ object, reason, message }) => events.push({ name: object.metadata.name, reason, message }),
    },
    metrics: { externalCall: () => undefined },
    hub,
    systemNamespace,
    hashKey,
    ...(world.timing === undefined ? {} : { timing: world.timing }),
  })
  engine.register([gate.provider(world.provider)])
  if (options.keepsHouse === true) keepHouse(manager, world)
  const kill = () => stop.abort(new KilledError('The manager was killed.'))
  gate.killed.addEventListener('abort', kill, { once: true })
  const ended = manager.run(stop.signal).catch((error: unknown) => error)
  return {
    gate,
    ended,
    events,
    [Symbol.asyncDispose]: async () => {
      gate.resume()
      stop.abort(new Error('The test is over.'))
      await ended
      await engine[Symbol.asyncDispose]()
    },
  }
}

/** An API server without controllers of its own needs somebody who takes its namespaces apart. */
function keepHouse(manager: Manager, { provider, clock }: ConformanceWorld): void {
  const { group, kinds, instanceKind } = provider
  const instances = kinds.filter(({ kind }) => kind === instanceKind).map(({ plural }) => ({ group, plural }))
  const last = [{ group, plural: 'providerconfigs' }, ...instances, { group: '', plural: 'secrets' }]
  manager.add(createNamespaceController({ clock, last }))
}

/** Waits until `check` answers something, by the world's clock; the error says what was waited for, and `seen`. */
export async function until<T>(
  world: ConformanceWorld,
  what: string,
  check: () => Promise<T | undefined>,
  seen: () => unknown = () => '',
): Promise<T> {
  const { clock, patienceMs, lookEveryMs } = world
  const endMono = clock.mono() + patienceMs
  for (;;) {
    const found = await check()
    if (found !== undefined) return found
    if (clock.mono() > endMono) throw new Error(`Waited ${patienceMs} ms for ${what}. ${JSON.stringify(seen())}`)
    await sleep(clock, lookEveryMs)
  }
}
