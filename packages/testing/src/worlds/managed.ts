import type { ConfigMap } from '@orrery/api'
import { configMaps } from '@orrery/api'
import { createClient } from '@orrery/client'
import { fakeNature } from '../fake-provider.ts'
import { FakeSystem } from '../fake-system.ts'
import { SimulatedNetwork } from '../simulated-network.ts'
import type { Simulation, World } from '../simulation.ts'
import type { Ending } from './managed-oracle.ts'
import { breaches, unrest } from './managed-oracle.ts'
import type { ManagedParts } from './managed-process.ts'
import { HubProcess, ManagerProcess, SYSTEM_NAMESPACE } from './managed-process.ts'
import { ManagedUsers, NAMESPACES } from './managed-users.ts'

/**
 * A hub on a disk, two managers that compete for the lease, and a system outside, in which people work and
 * make mistakes while all of them crash, pause and lose messages. Then everything heals: exactly one thing
 * outside must be left for each object, none for those that are gone, and nothing may be written any more.
 */
export const managedWorld: World = {
  name: 'managed',
  goals: [
    'hub crash',
    'manager crash',
    'leader paused over its lease',
    'outage outside',
    'a person settled an unknown outcome',
    'mistake: namespace',
    'mistake: config',
    'mistake: secret',
    'mistake: kind',
    'mistake: credential',
  ],
  run: runManagedWorld,
}

/** Longer than a lease, an attempt and everything that settling it waits for. */
const MAX_PAUSE_MS = 120_000
const SAFETY_MS = 300_000
const CONVERGE_MS = 30 * 60_000
const QUIET_MS = 10 * 60_000

async function runManagedWorld(simulation: Simulation): Promise<void> {
  const system = new FakeSystem({
    name: 'east',
    clock: simulation.clock,
    random: simulation.random,
    nature: fakeNature(simulation.random.next()),
    faults: {
      requestLost: simulation.drawFault('outsideRequestLost', 0.1),
      answerLost: simulation.drawFault('outsideAnswerLost', 0.2),
      late: simulation.drawFault('outsideLate', 0.2),
      throttled: simulation.drawFault('outsideThrottled', 0.2),
      maxLatencyMs: simulation.draw('outsideLatencyMs', 5, 400),
    },
  })
  simulation.onHeal(() => system.heal())
  const hub = new HubProcess(simulation)
  await hub.start()
  const network = new SimulatedNetwork(simulation, {
    lost: simulation.drawFault('lost', 0.01),
    answerLost: simulation.drawFault('answerLost', 0.02),
    late: simulation.drawFault('late', 0.02),
    cut: simulation.drawFault('cut', 0.02),
    maxLateMs: 3_000,
  })
  const client = createClient({
    transport: hub.handle,
    clock: simulation.clock,
    random: simulation.random,
    userAgent: 'people',
  })
  const users = new ManagedUsers({ simulation, system, client })
  const onAttempt = pauseAtAttempts(simulation, users)
  const parts: ManagedParts = { simulation, hub, network, system, onAttempt }
  const managers = [new ManagerProcess('one', parts), new ManagerProcess('two', parts)]
  const running = managers.map((manager) => manager.run())
  for (const work of running) simulation.supervise(work)
  await simulation.sleep(5_000)
  await users.start()
  await disturbAll(simulation, { hub, managers, system, users })
  simulation.healAll()
  for (const manager of managers) manager.kill()
  await converge(simulation, { users, system })
  const ending: Ending = { objects: await users.list(), system, happened: users.happened }
  const before = system.ledger.length
  await quiet(simulation, hub)
  for (const { effect, name, id } of system.ledger.slice(before))
    simulation.violate(`after everything had settled: ${effect} ${name} ${id}`)
  const { items } = await client.listAll<ConfigMap>(configMaps, { namespace: SYSTEM_NAMESPACE })
  const claims = items.filter(({ metadata }) => metadata.name.startsWith('claim-'))
  for (const breach of breaches(ending, claims)) simulation.violate(breach)
  for (const manager of managers) manager.end()
}

/**
 * The worst moment for a process to fall asleep: the licence to call is written, the call is not made. It sleeps
 * until the other one has taken over and settled the attempt; that one stays awake meanwhile.
 */
function pauseAtAttempts(simulation: Simulation, users: ManagedUsers): ManagedParts['onAttempt'] {
  const pauses = simulation.draw('pauseAtAttemptPercent', 0, 40) / 100
  let isAsleep = false
  return (manager) => {
    if (isAsleep || !simulation.strikes(pauses)) return
    isAsleep = true
    const forMs = simulation.random.integer(40_000, MAX_PAUSE_MS)
    const sleep = async () => {
      await pauseLeader(simulation, { manager, users, forMs })
      isAsleep = false
    }
    simulation.supervise(sleep())
  }
}

async function pauseLeader(
  simulation: Simulation,
  { manager, users, forMs }: { readonly manager: ManagerProcess; readonly users: ManagedUsers; readonly forMs: number },
): Promise<void> {
  users.happened.sleeps++
  const wasLeading = manager.isLeading
  await manager.pause(forMs)
  if (wasLeading && !manager.isLeading) simulation.sometimes('leader paused over its lease')
}

interface Disturbed {
  readonly hub: HubProcess
  readonly managers: readonly ManagerProcess[]
  readonly system: FakeSystem
  readonly users: ManagedUsers
}

async function disturbAll(simulation: Simulation, world: Disturbed): Promise<void> {
  const work = [
    world.users.disturb(simulation.draw('workEveryMs', 500, 6_000)),
    crashHub(simulation, world.hub),
    disturbManagers(simulation, world),
    disturbSystem(simulation, world.system),
  ]
  for (const each of work) simulation.supervise(each)
  await simulation.sleep(SAFETY_MS)
}

async function crashHub(simulation: Simulation, hub: HubProcess): Promise<void> {
  const crashes = simulation.drawFault('hubCrash', 0.3)
  while (simulation.phase === 'safety') {
    await simulation.sleep(simulation.random.next() * 60_000)
    if (simulation.strikes(crashes)) await hub.crash(simulation.random.next() * 20_000)
  }
}

async function disturbManagers(simulation: Simulation, { managers, users }: Disturbed): Promise<void> {
  const crashes = simulation.drawFault('managerCrash', 0.6)
  const pauses = simulation.drawFault('managerPause', 0.6)
  while (simulation.phase === 'safety') {
    await simulation.sleep(simulation.random.next() * 20_000)
    for (const manager of managers) {
      if (simulation.strikes(crashes)) {
        simulation.sometimes('manager crash')
        manager.kill()
      } else if (simulation.strikes(pauses)) {
        await pauseLeader(simulation, { manager, users, forMs: simulation.random.next() * MAX_PAUSE_MS })
      }
    }
  }
}

async function disturbSystem(simulation: Simulation, system: FakeSystem): Promise<void> {
  const outages = simulation.drawFault('outages', 0.5)
  const denials = simulation.drawFault('denials', 0.3)
  while (simulation.phase === 'safety') {
    await simulation.sleep(simulation.random.next() * 30_000)
    if (simulation.strikes(outages)) {
      simulation.sometimes('outage outside')
      system.isReachable = false
    } else if (simulation.strikes(denials)) {
      system.denied.add(simulation.random.pick(['read', 'create', 'update', 'delete']))
    }
    await simulation.sleep(simulation.random.next() * 20_000)
    system.isReachable = true
    system.denied.clear()
  }
}

/** People mend what they broke, answer what is asked, and then everything comes to rest. */
async function converge(
  simulation: Simulation,
  { users, system }: { readonly users: ManagedUsers; readonly system: FakeSystem },
): Promise<void> {
  let restless: readonly string[] = []
  // Whoever settles an unknown outcome by hand must wait until nothing late can still arrive.
  await simulation.sleep(60_000)
  const endMs = simulation.clock.mono() + CONVERGE_MS
  let calmChecks = 0
  for (;;) {
    await simulation.sleep(10_000)
    restless = await mend(users, system)
    calmChecks = restless.length === 0 ? calmChecks + 1 : 0
    // What just came to rest may still be taken notice of by what refers to it.
    if (calmChecks === 6) return
    if (simulation.clock.mono() < endMs) continue
    for (const why of restless) simulation.violate(`after ${CONVERGE_MS} ms: ${why}`)
    simulation.always(false, 'everything comes to rest')
  }
}

async function mend(users: ManagedUsers, system: FakeSystem): Promise<readonly string[]> {
  const states: string[] = []
  await users.answer(await users.list())
  for (const namespace of NAMESPACES) {
    const state = await users.stateOf(namespace)
    if (state === 'ending') await users.clear(namespace)
    if (state === 'missing') await users.setUp(namespace)
    if (state !== 'ready') states.push(`namespace ${namespace} is ${state}`)
  }
  for (const thing of system.things('Bucket')) thing.items = 0
  if (states.length > 0) return states
  await users.setUp('a')
  const objects = await users.list()
  const ending: Ending = { objects, system, happened: users.happened }
  return objects.flatMap((object) => unrest(object, ending) ?? [])
}

/** A world at rest costs reads, and renewals of the lease. */
async function quiet(simulation: Simulation, hub: HubProcess): Promise<void> {
  // What was said last may still be written down, and the credential's last change be noticed.
  await simulation.sleep(15 * 60_000)
  hub.onRequest = ({ method, target, body }) => {
    if (method === 'GET' || target.includes('/leases')) return
    const text = body instanceof Uint8Array ? Buffer.from(body).toString() : ''
    simulation.violate(`a world at rest was written to: ${method} ${target} ${text}`)
  }
  await simulation.sleep(QUIET_MS)
  hub.onRequest = () => undefined
}
