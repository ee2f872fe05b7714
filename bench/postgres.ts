import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { ManagedWorld, PostgresServer } from '@orrery/testing/postgres'
import { isSettled, serverPrograms, startPostgres, startWorld } from '@orrery/testing/postgres'

/**
 * From an applied object to a database that was proved usable, beside the same SQL by hand: one at a time, and many
 * at once. The hub, the engine and this program share one process; the server is real and syncs to disk.
 */

const SINGLES = 20
const MANY = 200
/** Looking is work, too, in this very process. */
const LOOK_MS = 200
const TIMEOUT_MS = 120_000

const {
  found: [programs],
} = await serverPrograms()
if (programs === undefined) throw new Error('There is no server to measure with.')

const report = (name: string, value: number, unit: string) =>
  void process.stdout.write(`${JSON.stringify({ name, value: Math.round(value * 10) / 10, unit })}\n`)

await using server = await startPostgres({ programs, durable: true })
await using world = await startWorld(process.argv[2] === undefined ? {} : { kubeconfig: process.argv[2] })
await world.configure('pg', server)
await world.apply('Role', { name: 'warm' })
await world.ready('Role', 'warm')
await byHand(server)
await oneAtATime(world)
await manyAtOnce(world)

async function byHand(target: PostgresServer): Promise<void> {
  const times: number[] = []
  for (let index = 0; index < SINGLES; index += 1) {
    const startMs = performance.now()
    await target.query(`CREATE DATABASE by_hand_${index}`)
    await target.query('SELECT 1', { database: `by_hand_${index}` })
    times.push(performance.now() - startMs)
  }
  report('CREATE DATABASE and login by hand, median', median(times), 'ms')
}

async function oneAtATime(target: ManagedWorld): Promise<void> {
  const times: number[] = []
  for (let index = 0; index < SINGLES; index += 1) {
    const name = `single-${index}`
    const startMs = performance.now()
    await target.apply('Database', { name })
    await target.ready('Database', name)
    times.push(performance.now() - startMs)
  }
  report('one Database, apply to Ready, median', median(times), 'ms')
  report('one Database, apply to Ready, worst', Math.max(...times), 'ms')
}

async function manyAtOnce(target: ManagedWorld): Promise<void> {
  const names = Array.from({ length: MANY }, (_, index) => `many-${index}`)
  const settled = async () => await counts(target, isSettled)
  const startMs = performance.now()
  await Promise.all(
    names.flatMap((name) => [
      target.apply('Role', { name }),
      target.apply('Database', { name, forProvider: { ownerRef: { name } } }),
      target.apply('Grant', {
        name,
        forProvider: { roleRef: { name: 'warm' }, databaseRef: { name }, privileges: ['CONNECT'] },
      }),
    ]),
  )
  report(`${MANY} roles, databases and grants, applied`, performance.now() - startMs, 'ms')
  await until(settled, MANY * 3)
  report(`${MANY} roles, databases and grants, apply to Ready`, performance.now() - startMs, 'ms')
  const deleteMs = performance.now()
  await Promise.all(
    names.flatMap((name) =>
      (['Grant', 'Database', 'Role'] as const).map(async (kind) => await target.delete(kind, name)),
    ),
  )
  await until(async () => await counts(target, () => true), 0)
  report(`${MANY} roles, databases and grants, delete to gone`, performance.now() - deleteMs, 'ms')
}

async function counts(target: ManagedWorld, is: typeof isSettled): Promise<number> {
  const kinds = ['Role', 'Database', 'Grant'] as const
  const lists = await Promise.all(
    kinds.map(async (kind) => await target.client.listAll(target.kind(kind), { namespace: target.namespace })),
  )
  return lists.flatMap(({ items }) => items).filter((object) => object.metadata.name.startsWith('many-') && is(object))
    .length
}

async function until(count: () => Promise<number>, wanted: number): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS
  for (;;) {
    const is = await count()
    if (is === wanted) return
    if (performance.now() > deadline) throw new Error(`${is} instead of ${wanted}`)
    await delay(LOOK_MS)
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
