import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ConfigMap, CustomResourceDefinition, Kind, KubeObject } from '@orrery/api'
import {
  configMaps,
  customResourceDefinitions,
  events,
  isNotFound,
  keyOf,
  namespaces,
  secrets,
  silentLogger,
} from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import type { NodeTransport } from '@orrery/client/node'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import { addGarbageCollector, createEventRecorder, createManager, createNamespaceController } from '@orrery/runtime'
import { Registry } from 'prom-client'
import type { Peer } from './kube-apiserver.ts'
import { startKubeApiserver, whyNoPeer } from './kube-apiserver.ts'

/** Our housekeeping on a real kube-apiserver without its own controller manager. */
const skip = whyNoPeer() ?? false
if (skip !== false) console.log(`[skip] housekeeping on a real kube-apiserver: ${skip}`)

const widgets: Kind = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  singular: 'widget',
  namespaced: true,
}
const widgetDefinition: CustomResourceDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { kind: 'Widget', plural: 'widgets', singular: 'widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}

let peer: Peer
let transport: NodeTransport
let client: Client
let running: Promise<void>
const stop = new AbortController()

before(async () => {
  if (skip !== false) return
  peer = await startKubeApiserver()
  transport = createNodeTransport(loadKubeconfig({ paths: [peer.kubeconfig] }), { clock: systemClock })
  const parts = { clock: systemClock, random: systemRandom, log: silentLogger }
  client = createClient({ transport: transport.handle, userAgent: 'orrery-test', ...parts })
  const recorder = createEventRecorder({ client, component: 'orrery', identity: 'test', ...parts })
  const manager = createManager({ client, metrics: new Registry(), identity: 'test', ...parts })
  manager.add(createNamespaceController({ clock: systemClock, last: [secrets] }))
  addGarbageCollector({ manager, events: recorder, log: silentLogger })
  running = manager.run(stop.signal)
  await client.create(customResourceDefinitions, widgetDefinition)
})

after(async () => {
  if (skip !== false) return
  stop.abort()
  await running
  await transport.close()
  await peer.stop()
})

const configMap = (namespace: string, name: string, owners: readonly KubeObject[] = [], block = true): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace, name, ownerReferences: owners.map((owner) => ownerReference(owner, block)) },
})

const ownerReference = (owner: KubeObject, blockOwnerDeletion: boolean) => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid ?? '',
  blockOwnerDeletion,
})

const newNamespace = (name: string) =>
  client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {} })

/** Asks until it is so. The bound is only for a run that hangs; nothing is measured. */
async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail(`not so after 30 s: ${what}`)
}

const isGone = async <T extends KubeObject>(kind: Kind<T>, object: T) =>
  (await client.find(kind, keyOf(object))) === undefined

/** Once a control object without a living owner is collected, everything judged before it has been, too. */
async function untilCollectorHasPassed(namespace: string): Promise<void> {
  const ghost = { ...configMap(namespace, 'ghost'), metadata: { name: 'ghost', namespace, uid: crypto.randomUUID() } }
  const control = await client.create(configMaps, configMap(namespace, `control-${crypto.randomUUID()}`, [ghost]))
  await eventually('the control object is collected', () => isGone(configMaps, control))
}

test('dependents go after their last owner, and stay while one lives', { skip }, async () => {
  await newNamespace('background')
  const [first, second] = [
    await client.create(configMaps, configMap('background', 'first')),
    await client.create(configMaps, configMap('background', 'second')),
  ]
  const one = await client.create(configMaps, configMap('background', 'of-one', [first]))
  const both = await client.create(configMaps, configMap('background', 'of-both', [first, second]))
  await client.delete(configMaps, keyOf(first))
  await eventually('the dependent of one is gone', () => isGone(configMaps, one))
  await eventually(
    'the dead reference is taken out',
    async () => (await client.get(configMaps, keyOf(both))).metadata.ownerReferences?.length === 1,
  )
  await client.delete(configMaps, keyOf(second))
  await eventually('the dependent of both is gone', () => isGone(configMaps, both))
})

test('foreground deletion waits for blocking dependents', { skip }, async () => {
  await newNamespace('foreground')
  const owner = await client.create(configMaps, configMap('foreground', 'owner'))
  const held = configMap('foreground', 'held', [owner])
  const dependent = await client.create(configMaps, {
    ...held,
    metadata: { ...held.metadata, finalizers: ['example.com/hold'] },
  })
  await client.delete(configMaps, keyOf(owner), { propagation: 'Foreground' })
  const isMarked = async () => (await client.get(configMaps, keyOf(dependent))).metadata.deletionTimestamp !== undefined
  await eventually('the dependent is marked', isMarked)
  await untilCollectorHasPassed('foreground')
  assert.notEqual(await client.find(configMaps, keyOf(owner)), undefined)
  const release = [{ op: 'remove', path: '/metadata/finalizers/0' }]
  await client.patch(configMaps, keyOf(dependent), { type: 'json', body: release })
  await eventually('the owner is gone', () => isGone(configMaps, owner))
  await eventually('the dependent is gone', () => isGone(configMaps, dependent))
})

test('a circle of owners comes apart under foreground deletion', { skip }, async () => {
  await newNamespace('circle')
  const first = await client.create(configMaps, configMap('circle', 'first'))
  const second = await client.create(configMaps, configMap('circle', 'second', [first]))
  const body = { metadata: { ownerReferences: [ownerReference(second, true)] } }
  await client.patch(configMaps, keyOf(first), { type: 'merge', body })
  await untilCollectorHasPassed('circle')
  await client.delete(configMaps, keyOf(first), { propagation: 'Foreground' })
  await eventually('the first is gone', () => isGone(configMaps, first))
  await eventually('the second is gone', () => isGone(configMaps, second))
})

test('orphan deletion takes the owner from its dependents and leaves them', { skip }, async () => {
  await newNamespace('orphan')
  const owner = await client.create(configMaps, configMap('orphan', 'owner'))
  const dependent = await client.create(configMaps, configMap('orphan', 'dependent', [owner]))
  await client.delete(configMaps, keyOf(owner), { propagation: 'Orphan' })
  await eventually('the owner is gone', () => isGone(configMaps, owner))
  await untilCollectorHasPassed('orphan')
  assert.equal((await client.get(configMaps, keyOf(dependent))).metadata.ownerReferences, undefined)
})

test('an owner in another namespace owns nothing, and an event says so', { skip }, async () => {
  await newNamespace('here')
  await newNamespace('there')
  const owner = await client.create(configMaps, configMap('there', 'owner'))
  await untilCollectorHasPassed('there')
  const dependent = await client.create(configMaps, configMap('here', 'dependent', [owner]))
  await eventually('the event is there', async () =>
    (await client.list(events, { namespace: 'here' })).items.some(
      (event) => event.reason === 'OwnerRefInvalidNamespace',
    ),
  )
  assert.notEqual(await client.find(configMaps, keyOf(dependent)), undefined)
})

test('an owner of a kind that is not served is not taken for gone', { skip }, async () => {
  await newNamespace('unserved')
  const stranger = { ...configMap('unserved', 'x'), apiVersion: 'nowhere.example.com/v1', kind: 'Stranger' }
  const owner = { ...stranger, metadata: { ...stranger.metadata, uid: crypto.randomUUID() } }
  const dependent = await client.create(configMaps, configMap('unserved', 'dependent', [owner]))
  await untilCollectorHasPassed('unserved')
  assert.notEqual(await client.find(configMaps, keyOf(dependent)), undefined)
})

test('custom resources that appear while it runs are collected', {
  skip,
}, async () => {
  await newNamespace('custom')
  const widget = (name: string): KubeObject => ({
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { namespace: 'custom', name },
  })
  const created: KubeObject[] = []
  await eventually('widgets are served', async () => {
    try {
      created.push(await client.create(widgets, widget('owner')))
      return true
    } catch (error) {
      if (!isNotFound(error)) throw error
      return false
    }
  })
  const dependent = await client.create(configMaps, configMap('custom', 'dependent', created))
  await client.delete(widgets, { namespace: 'custom', name: 'owner' })
  await eventually('the dependent is gone', () => isGone(configMaps, dependent))
})

test('a deleted namespace is emptied, waits for finalizers and tells for which, keeps what is in use to the last', {
  skip,
}, async () => {
  await newNamespace('doomed')
  const held = configMap('doomed', 'held')
  await client.create(configMaps, { ...held, metadata: { ...held.metadata, finalizers: ['example.com/hold'] } })
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'doomed', name: 'in-use', finalizers: ['example.com/in-use'] },
  }
  await client.create(secrets, secret)
  await client.delete(namespaces, { name: 'doomed' })
  await eventually('both are marked', async () => {
    const objects = [await client.get(configMaps, keyOf(held)), await client.get(secrets, keyOf(secret))]
    return objects.every((object) => object.metadata.deletionTimestamp !== undefined)
  })
  await eventually('the conditions name the finalizers', async () => {
    const text = JSON.stringify(await client.get(namespaces, { name: 'doomed' }))
    return (
      text.includes('example.com/hold in 1 resource instances') && text.includes('secrets. has 1 resource instances')
    )
  })
  for (const [kind, key] of [
    [secrets, keyOf(secret)],
    [configMaps, keyOf(held)],
  ] as const) {
    await client.patch(kind, key, { type: 'merge', body: { metadata: { finalizers: null } } })
  }
  await eventually(
    'the namespace is gone',
    async () => (await client.find(namespaces, { name: 'doomed' })) === undefined,
  )
})
