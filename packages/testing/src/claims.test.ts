import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConfigMap } from '@orrery/api'
import { configMaps, namespaces, silentLogger } from '@orrery/api'
import type { ManagedObject } from '@orrery/provider'
import {
  createEngine,
  ensureHashKey,
  ensureNamespace,
  hubIdentity,
  installDefinitions,
  managedKind,
} from '@orrery/provider'
import { createManager } from '@orrery/runtime'
import { Registry } from 'prom-client'
import { fakeProvider } from './fake-provider.ts'
import { FakeSystem } from './fake-system.ts'
import { SeededRandom } from './seeded-random.ts'
import { createTestHub } from './test-hub.ts'
import { VirtualClock } from './virtual-clock.ts'

const SYSTEM = 'orrery-system'

const claimOf = (name: string, owner: { readonly of: string; readonly uid: string }): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name,
    namespace: SYSTEM,
    labels: { 'orrery.dev/claim': 'topic', 'orrery.dev/claim-owner': owner.uid },
    annotations: { 'orrery.dev/claim-of': owner.of },
  },
})

test('a claim without an owner is removed; that of a living object, of an unknown kind and other ConfigMaps stay', async () => {
  const clock = new VirtualClock()
  const random = new SeededRandom(1)
  const stop = new AbortController()
  const { signal } = stop
  const run = async () => {
    await using hub = await createTestHub({ clock, random })
    const { client } = hub
    const provider = fakeProvider(new FakeSystem({ name: 'outside', clock, random }))
    await ensureNamespace(SYSTEM, { client, clock, signal })
    await installDefinitions([provider], { client, clock, signal })
    const manager = createManager({
      client,
      clock,
      random,
      log: silentLogger,
      metrics: new Registry(),
      identity: 'test',
    })
    await using engine = createEngine({
      manager,
      client,
      clock,
      random,
      log: silentLogger,
      events: { record: () => undefined },
      metrics: { externalCall: () => undefined },
      hub: await hubIdentity({ client, signal }),
      systemNamespace: SYSTEM,
      hashKey: await ensureHashKey({ client, random, namespace: SYSTEM }),
    })
    engine.register([provider])
    const [topic] = provider.kinds.filter(({ kind }) => kind === 'Topic')
    assert.ok(topic !== undefined)
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' }, spec: {} })
    const alive: ManagedObject = await client.create(managedKind(provider.group, topic), {
      apiVersion: `${provider.group}/v1alpha1`,
      kind: 'Topic',
      metadata: { name: 'alive', namespace: 'a' },
      spec: { forProvider: {}, managementPolicies: ['*'], driftPolicy: 'Correct' },
    })
    const uid = alive.metadata.uid ?? ''
    const gone = '00000000-0000-4000-8000-000000000000'
    const kept = [
      claimOf('kept-alive', { of: `${provider.group}/Topic:a/alive`, uid }),
      claimOf('kept-unknown', { of: 'other.orrery.dev/Thing:a/b', uid: gone }),
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept-plain', namespace: SYSTEM } },
    ]
    const strays = [
      claimOf('stray-gone', { of: `${provider.group}/Topic:a/gone`, uid: gone }),
      claimOf('stray-earlier', { of: `${provider.group}/Topic:a/alive`, uid: gone }),
    ]
    for (const object of [...kept, ...strays]) await client.create(configMaps, object)
    const running = manager.run(signal)
    await clock.advance(10_000)
    const { items } = await client.list(configMaps, { namespace: SYSTEM })
    const names = items.map(({ metadata }) => metadata.name)
    for (const { metadata } of kept) assert.ok(names.includes(metadata.name), metadata.name)
    for (const { metadata } of strays) assert.ok(!names.includes(metadata.name), metadata.name)
    stop.abort()
    await running
  }
  const over = new AbortController()
  const work = run().finally(() => {
    over.abort()
  })
  while (!over.signal.aborted) if (!(await clock.step())) await new Promise((resolve) => setImmediate(resolve))
  await work
})
