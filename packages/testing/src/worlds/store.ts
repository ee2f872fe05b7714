import { type Revision, revision } from '@orrery/hub/store'
import { isLinearizable } from '../linearizability.ts'
import type { Simulation, World } from '../simulation.ts'
import { checkWatch, digestOf, replay } from '../watch-checks.ts'
import { StoreClients } from './store-clients.ts'
import { StoreProcess } from './store-process.ts'
import { CacheWatcher, StoreWatcher, Witness } from './store-watchers.ts'

/**
 * Clients contend for ten keys of a store and its watch cache on a faulty disk, watchers come and go, history
 * is compacted all the time, and the process crashes. Then everything heals, every watcher must
 * catch up, and all histories are checked.
 */
export const storeWorld: World = {
  name: 'store',
  goals: [
    'crash',
    'graceful restart',
    'outcome unknown',
    'conflict',
    'disk full',
    'delete on a full disk',
    'sync failed',
    'torn write',
    'compacted',
    'watch from the future',
    'bookmark',
    'page of an old revision',
  ],
  run: runStoreWorld,
}

/** Faults end, and with them the safety phase, after this virtual time. */
const SAFETY_MS = 20_000
const bounds = { withinMs: 120_000, everyMs: 50 }

async function runStoreWorld(simulation: Simulation): Promise<void> {
  const process = new StoreProcess(simulation)
  await process.start()
  const witness = new Witness(simulation, process)
  const clients = new StoreClients(simulation, process)
  const watchers = Array.from({ length: simulation.draw('watchers', 2, 6) }, (_, index) =>
    index % 2 === 0 ? new StoreWatcher(simulation, process, index) : new CacheWatcher(simulation, process, index),
  )
  const running = [
    clients.run(simulation.draw('clients', 2, 8)),
    ...watchers.map((watcher) => watcher.run()),
    witness.run(),
    compact(simulation, { process, witness }),
    disturb(simulation, process),
  ]
  for (const work of running) simulation.supervise(work)
  await simulation.sleep(SAFETY_MS)
  simulation.healAll()
  await process.revive()
  clients.stop()
  await simulation.eventually('every client is answered', bounds, () => clients.isStopped)
  await settle(simulation, { process, witness, watchers })
  process.end()
  await Promise.all(running)
  const history = witness.history
  for (const [key, operations] of clients.operations()) {
    if (!isLinearizable(operations)) simulation.violate(`operations on ${key} are not linearizable`)
  }
  for (const watch of watchers.flatMap((watcher) => watcher.recorded)) {
    for (const violation of checkWatch(watch, history)) simulation.violate(violation)
  }
}

/** Everything shows the same newest state, as do past revisions. */
async function settle(
  simulation: Simulation,
  world: {
    readonly process: StoreProcess
    readonly witness: Witness
    readonly watchers: readonly (StoreWatcher | CacheWatcher)[]
  },
): Promise<void> {
  const { process, witness, watchers } = world
  const { store, cache } = process.serving()
  const newest = await store.revision()
  await simulation.eventually('the witness sees everything', bounds, () => witness.revision >= newest)
  for (const watcher of watchers) {
    await simulation.eventually(`watcher ${watcher.name} catches up`, bounds, () =>
      watcher.caughtUp(newest, witness.history),
    )
  }
  const truth = digestOf(replay(witness.history, newest))
  const listed = await store.list({ prefix: '' })
  const stored = new Map(listed.items.map((item) => [item.key, Buffer.from(item.value).toString()]))
  if (digestOf(stored) !== truth) simulation.violate('the newest state differs from the replayed history')
  const cached = await cache.list({ prefix: '/core/things/', match: {} })
  const shown = new Map(cached.items.map((item) => [item.key, Buffer.from(item.stored).toString()]))
  if (digestOf(shown) !== truth) simulation.violate('the cache differs from the replayed history')
  await checkPast(simulation, { process, witness, newest })
}

async function checkPast(
  simulation: Simulation,
  world: { readonly process: StoreProcess; readonly witness: Witness; readonly newest: Revision },
): Promise<void> {
  const { store, cache } = world.process.serving()
  const oldest = await store.compactedRevision()
  for (let i = 0; i < 5; i++) {
    const at = revision(simulation.random.integer(oldest, world.newest))
    const truth = digestOf(replay(world.witness.history, at))
    const past = await store.list({ prefix: '', at })
    const state = new Map(past.items.map((item) => [item.key, Buffer.from(item.value).toString()]))
    if (digestOf(state) !== truth) simulation.violate(`the state at ${at} differs from the replayed history`)
    const shown = await cache.list({ prefix: '/core/things/', match: {}, at })
    const cached = new Map(shown.items.map((item) => [item.key, Buffer.from(item.stored).toString()]))
    if (digestOf(cached) !== truth) simulation.violate(`the cache at ${at} differs from the replayed history`)
  }
}

async function compact(
  simulation: Simulation,
  { process, witness }: { readonly process: StoreProcess; readonly witness: Witness },
): Promise<void> {
  const everyMs = simulation.draw('compactEveryMs', 100, 3000)
  while (!process.isOver) {
    await simulation.sleep(everyMs)
    // The witness must not lose history itself.
    const to = revision(Math.max(0, witness.revision - simulation.random.integer(0, 60)))
    await process.attempt(({ store }) => store.compact(to))
  }
}

async function disturb(simulation: Simulation, process: StoreProcess): Promise<void> {
  const crashEveryMs = simulation.draw('crashEveryMs', 300, 8000)
  const restarts = simulation.drawFault('gracefulRestart', 0.5)
  const fullDisk = simulation.drawFault('fullDisk', 0.3)
  while (simulation.phase === 'safety') {
    await simulation.sleep(simulation.random.next() * crashEveryMs)
    if (simulation.strikes(fullDisk)) await process.fillDisk(simulation.random.next() * 2000)
    if (simulation.strikes(restarts)) await process.restart()
    else if (simulation.phase === 'safety') await process.crash()
  }
}
