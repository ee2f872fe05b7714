import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, configMaps, silentLogger } from '@orrery/api'
import { createClient } from '@orrery/client'
import { VirtualClock } from '@orrery/testing'
import { Registry } from 'prom-client'
import type { ControllerOptions, ReconcileContext } from './controller.ts'
import { again, done, TerminalError } from './controller.ts'
import { createManager } from './create-manager.ts'
import { LeaseLostError } from './election.ts'
import { evenRandom } from './even-random.test-support.ts'
import { TinyServer } from './tiny-server.test-support.ts'

const ELECTION = { namespace: 'default', name: 'manager', leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 }

interface World {
  readonly clock: VirtualClock
  readonly server: TinyServer
}

const newWorld = (): World => ({ clock: new VirtualClock(), server: new TinyServer() })

function start(world: World, options: { readonly identity?: string; readonly elected?: boolean } = {}) {
  const { clock, server } = world
  const parts = { clock, random: evenRandom, log: silentLogger }
  const client = createClient({ transport: server.handle, userAgent: 'test', ...parts })
  const metrics = new Registry()
  const election = options.elected === true ? { election: ELECTION } : {}
  const manager = createManager({ client, metrics, identity: options.identity ?? 'one', ...election, ...parts })
  const stop = new AbortController()
  return { manager, client, metrics, stop, run: () => manager.run(stop.signal) }
}

function controllerOf(
  reconcile: ControllerOptions['reconcile'],
  more: Partial<ControllerOptions> = {},
): ControllerOptions {
  return { name: 'test', for: configMaps, concurrency: 4, reconcile, ...more }
}

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name } })

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  return (await Promise.race([promise.catch(() => undefined), Promise.resolve(pending)])) !== pending
}

test('every object is reconciled at the start and after each change, by key', async () => {
  const world = newWorld()
  const { manager, client, stop, run } = start(world)
  const seen: string[] = []
  manager.add(controllerOf(async ({ key, priority }) => (seen.push(`${key.name} ${priority}`), done)))
  await client.create(configMaps, configMap('a'))
  const running = run()
  await world.clock.advance(10)
  const created = await client.create(configMaps, configMap('b'))
  await world.clock.advance(10)
  await client.update(configMaps, created)
  await world.clock.advance(10)
  assert.deepEqual(seen, ['a resync', 'b change', 'b change'])
  stop.abort()
  await running
})

test('a steady world writes nothing but lease renewals', async () => {
  const world = newWorld()
  const { manager, client, stop, run } = start(world, { elected: true })
  manager.add(controllerOf(async () => again(60_000)))
  await client.create(configMaps, configMap('a'))
  const running = run()
  await world.clock.advance(10)
  world.server.writes.length = 0
  await world.clock.advance(60_000)
  assert.deepEqual(
    new Set(world.server.writes),
    new Set(['PUT /apis/coordination.k8s.io/v1/namespaces/default/leases/manager']),
  )
  stop.abort()
  await world.clock.advance(10)
  await running
})

test('an object that always fails leaves the others their pace', async () => {
  const world = newWorld()
  const { manager, client, stop, run } = start(world)
  let good = 0
  let bad = 0
  manager.add(
    controllerOf(
      async ({ key }) => {
        if (key.name === 'good') return (good++, again(1_000))
        bad++
        throw new Error('poison')
      },
      { concurrency: 1 },
    ),
  )
  for (const name of ['good', 'bad']) await client.create(configMaps, configMap(name))
  const running = run()
  await world.clock.advance(3_600_000)
  assert.ok(good >= 3_600 * 0.9, `${good}`)
  assert.ok(bad < 30, `${bad}`)
  stop.abort()
  await running
})

for (const { name, error, result, again: isRetried } of [
  { name: 'an error', error: new Error('x'), result: 'error', again: true },
  {
    name: 'a conflict',
    error: new ApiError({ code: 409, reason: 'Conflict', message: 'x' }),
    result: 'requeue',
    again: true,
  },
  {
    name: 'a missing object',
    error: new ApiError({ code: 404, reason: 'NotFound', message: 'x' }),
    result: 'requeue',
    again: true,
  },
  { name: 'a terminal error', error: new TerminalError('x'), result: 'terminal_error', again: false },
]) {
  test(`${name} is counted as ${result} and ${isRetried ? 'retried' : 'left alone'}`, async () => {
    const world = newWorld()
    const { manager, client, metrics, stop, run } = start(world)
    let calls = 0
    manager.add(
      controllerOf(async () => {
        calls++
        throw error
      }),
    )
    await client.create(configMaps, configMap('a'))
    const running = run()
    await world.clock.advance(1_000)
    assert.equal(calls > 1, isRetried)
    assert.match(await metrics.metrics(), new RegExp(`reconcile_total\\{controller="test",result="${result}"\\}`))
    stop.abort()
    await running
  })
}

test('a reconcile that takes too long is aborted, and shows in health when it ignores that', async () => {
  const world = newWorld()
  const { manager, client, stop, run } = start(world)
  const hang = Promise.withResolvers<void>()
  let isAborted = false
  manager.add(
    controllerOf(
      async ({ signal }) => {
        signal.addEventListener('abort', () => (isAborted = true))
        await hang.promise
        return done
      },
      { deadlineMs: 5_000 },
    ),
  )
  await client.create(configMaps, configMap('a'))
  const running = run()
  await world.clock.advance(5_001)
  assert.equal(isAborted, true)
  assert.equal(manager.health().ready, true)
  await world.clock.advance(60_000)
  assert.equal(manager.health().ready, false)
  hang.resolve()
  stop.abort()
  await running
})

test('a stop waits for what is in work, then gives the lease to the next, whose epoch is greater', async () => {
  const world = newWorld()
  const first = start(world, { elected: true })
  const second = start(world, { elected: true, identity: 'two' })
  const work = Promise.withResolvers<void>()
  first.manager.add(controllerOf(async () => (await work.promise, done)))
  await first.client.create(configMaps, configMap('a'))
  const running = first.run()
  await world.clock.advance(10)
  const waiting = second.run()
  await world.clock.advance(3_000)
  assert.equal(first.manager.leadership.epoch, 1)
  first.stop.abort()
  await world.clock.advance(5_000)
  assert.equal(await isSettled(running), false)
  assert.equal(second.manager.leadership.epoch, 0)
  work.resolve()
  await world.clock.advance(5_000)
  await running
  assert.equal(second.manager.leadership.epoch, 2)
  second.stop.abort()
  await world.clock.advance(10)
  await waiting
})

test('who cannot renew loses the lease before anybody else can hold it', async () => {
  const world = newWorld()
  const { manager, stop, run } = start(world, { elected: true })
  const running = run()
  await world.clock.advance(10)
  const validUntilMono = manager.leadership.validUntilMono()
  assert.ok(validUntilMono > world.clock.mono())
  world.server.outage = new Error('the network is gone')
  let lostMono = Number.POSITIVE_INFINITY
  const lost = assert.rejects(
    running.finally(() => (lostMono = world.clock.mono())),
    LeaseLostError,
  )
  await world.clock.advance(30_000)
  await lost
  assert.ok(lostMono < validUntilMono, `lost at ${lostMono}, valid until ${validUntilMono}`)
  assert.equal(manager.leadership.validUntilMono(), Number.NEGATIVE_INFINITY)
  stop.abort()
})

test('a jump of the wall clock neither loses nor steals a lease', async () => {
  const world = newWorld()
  const first = start(world, { elected: true })
  const second = start(world, { elected: true, identity: 'two' })
  const running = [first.run(), second.run()]
  await world.clock.advance(5_000)
  for (const dayMs of [86_400_000, -172_800_000]) {
    world.clock.jumpWall(dayMs)
    await world.clock.advance(30_000)
  }
  const epochs = [first.manager.leadership.epoch, second.manager.leadership.epoch]
  assert.deepEqual(new Set(epochs), new Set([0, 1]))
  for (const { stop } of [first, second]) stop.abort()
  await world.clock.advance(10_000)
  await Promise.all(running)
})

test('a dead holder is followed after its lease, measured by the follower, has run out', async () => {
  const world = newWorld()
  const first = start(world, { elected: true })
  const running = first.run()
  await world.clock.advance(10)
  const lease = '/apis/coordination.k8s.io/v1/namespaces/default/leases/manager'
  const dead = world.server.objects.get(lease)
  first.stop.abort()
  await world.clock.advance(10)
  await running
  // As it was while the first one lived: a killed process releases nothing.
  if (dead !== undefined) world.server.objects.set(lease, dead)
  const second = start(world, { elected: true, identity: 'two' })
  const following = second.run()
  await world.clock.advance(ELECTION.leaseMs - 1_000)
  assert.equal(second.manager.leadership.epoch, 0)
  await world.clock.advance(5_000)
  assert.equal(second.manager.leadership.epoch, 2)
  second.stop.abort()
  await world.clock.advance(10)
  await following
})

test('a removed controller stops, and its informer with it', async () => {
  const world = newWorld()
  const { manager, client, stop, run } = start(world)
  const seen: string[] = []
  manager.add(controllerOf(async ({ key }: ReconcileContext) => (seen.push(key.name), done)))
  const running = run()
  await world.clock.advance(10)
  assert.equal(
    manager.health().checks.some((check) => check.name.startsWith('informer')),
    true,
  )
  await manager.remove('test')
  await client.create(configMaps, configMap('late'))
  await world.clock.advance(10)
  assert.deepEqual(seen, [])
  assert.equal(
    manager.health().checks.some((check) => check.name.startsWith('informer')),
    false,
  )
  stop.abort()
  await running
})
