import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCondition, sleep } from '@orrery/api'
import {
  createEngine,
  ensureHashKey,
  ensureNamespace,
  hubIdentity,
  installDefinitions,
  providerConfigKind,
} from '@orrery/provider'
import type { ConformanceWorld } from '@orrery/provider/conformance'
import { createManager } from '@orrery/runtime'
import { fakeHarness } from './fake-harness.ts'

const HOUR_MS = 3_600_000

/** The Ready condition of the world's ProviderConfig after an hour under a manager. */
async function readyAfterAnHour(world: ConformanceWorld, check: () => Promise<void>) {
  const { client, clock, random, log, systemNamespace, namespace } = world
  const provider = { ...world.provider, check }
  const stop = new AbortController()
  const { signal } = stop
  await ensureNamespace(systemNamespace, { client, clock, signal })
  await installDefinitions([provider], { client, clock, signal })
  await world.createConfig()
  const manager = createManager({ client, clock, random, log, metrics: world.createMetrics(), identity: 'test' })
  await using engine = createEngine({
    client,
    clock,
    random,
    log,
    manager,
    events: { record: () => undefined },
    metrics: { externalCall: () => undefined },
    hub: await hubIdentity({ client, signal }),
    systemNamespace,
    hashKey: await ensureHashKey({ client, random, namespace: systemNamespace }),
  })
  engine.register([provider])
  const running = manager.run(signal)
  await sleep(clock, HOUR_MS)
  const config = await client.get(providerConfigKind(provider), { namespace, name: 'default' })
  stop.abort()
  await running
  return findCondition(config.status?.conditions ?? [], 'Ready')?.status
}

for (const { name, check, want } of [
  { name: 'answers', check: async () => {}, want: 'True' },
  { name: 'never answers', check: async () => await Promise.withResolvers<undefined>().promise, want: 'False' },
]) {
  test(`a ProviderConfig whose system ${name} is Ready: ${want}`, async () => {
    await fakeHarness(1).run(async (world) => {
      assert.equal(await readyAfterAnHour(world, check), want)
    })
  })
}
