import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { JsonObject } from '@orrery/api'
import { objectAt, objectsAt, textAt, textsAt } from '../registry/json-access.ts'
import { openMemoryStore } from '../store/memory-store.ts'
import { createTestHub, random, type TestHub } from '../testdata/test-hub.ts'

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const meta = (object: JsonObject) => objectAt(object, 'metadata')

function crd(
  plural: string,
  more: { names?: JsonObject; spec?: JsonObject; version?: JsonObject; properties?: JsonObject } = {},
): JsonObject {
  const kind = `${plural[0]?.toUpperCase() ?? ''}${plural.slice(1, -1)}`
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      names: { plural, kind, ...more.names },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  properties: {
                    size: { type: 'integer', default: 1, minimum: 0 },
                    name: { type: 'string', maxLength: 5 },
                    ...more.properties,
                  },
                },
                status: { type: 'object', properties: { phase: { type: 'string' }, size: { type: 'integer' } } },
              },
            },
          },
          subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
          ...more.version,
        },
      ],
      ...more.spec,
    },
  }
}

const path = (plural: string, version = 'v1') => `/apis/example.com/${version}/namespaces/default/${plural}`
const object = (kind: string, name: string, more: JsonObject = {}, version = 'v1'): JsonObject => ({
  apiVersion: `example.com/${version}`,
  kind,
  metadata: { name },
  ...more,
})
const condition = (body: JsonObject, type: string) =>
  objectsAt(objectAt(body, 'status'), 'conditions').find((candidate) => candidate['type'] === type)?.['status']

let hub: TestHub
before(async () => {
  hub = await createTestHub()
})
after(async () => {
  await hub[Symbol.asyncDispose]()
})

suite('a custom resource', () => {
  test('is served and discovered by the very next request', async () => {
    const created = await hub.post(crds, crd('widgets'))
    assert.equal(created.status, 201, created.text)
    assert.equal(condition(created.body, 'Established'), 'True')
    assert.deepEqual(textsAt(objectAt(created.body, 'status'), 'storedVersions'), ['v1'])
    const made = await hub.post(path('widgets'), object('Widget', 'a', { spec: {} }))
    assert.equal(made.status, 201, made.text)
    const { body } = await hub.get('/apis/example.com/v1')
    assert.deepEqual(
      objectsAt(body, 'resources').map((resource) => resource['name']),
      ['widgets', 'widgets/scale', 'widgets/status'],
    )
  })

  test('is defaulted, pruned and validated', async () => {
    const { body } = await hub.post(path('widgets'), object('Widget', 'b', { spec: { unknown: 1 } }))
    assert.deepEqual(body['spec'], { size: 1 })
    const refused = await hub.post(path('widgets'), object('Widget', 'c', { spec: { size: -1, name: 'too long' } }))
    assert.equal(refused.status, 422)
    assert.equal(objectsAt(objectAt(refused.body, 'details'), 'causes').length, 2)
  })

  test('counts generations of its spec, not of status and metadata', async () => {
    const generation = async (answer: Promise<{ body: JsonObject }>) => meta((await answer).body)['generation']
    assert.equal(await generation(hub.post(path('widgets'), object('Widget', 'gen', { spec: { size: 1 } }))), 1)
    const own = `${path('widgets')}/gen`
    assert.equal(await generation(hub.patch(own, 'merge', { metadata: { labels: { a: 'b' } } })), 1)
    assert.equal(
      await generation(hub.patch(`${own}/status`, 'merge', { status: { phase: 'x' }, spec: { size: 9 } })),
      1,
    )
    assert.equal(await generation(hub.patch(own, 'merge', { spec: { size: 2 }, status: { phase: 'y' } })), 2)
    const { body } = await hub.get(own)
    assert.deepEqual(body['status'], { phase: 'x' })
    assert.deepEqual(body['spec'], { size: 2 })
  })

  test('demands a version for an update', async () => {
    await hub.post(path('widgets'), object('Widget', 'cas', { spec: {} }))
    assert.equal((await hub.put(`${path('widgets')}/cas`, object('Widget', 'cas', { spec: {} }))).status, 422)
    assert.equal((await hub.put(`${path('widgets')}/none`, object('Widget', 'none', { spec: {} }))).status, 404)
  })

  test('is scaled through its replicas field', async () => {
    await hub.post(path('widgets'), object('Widget', 'scaled', { spec: { size: 2 } }))
    const scale = `${path('widgets')}/scaled/scale`
    const read = (await hub.get(scale)).body
    assert.equal(objectAt(read, 'spec')['replicas'], 2)
    assert.equal((await hub.put(scale, { ...read, spec: { replicas: 5 } })).status, 200)
    assert.equal((await hub.patch(scale, 'merge', { spec: { replicas: -1 } })).status, 422)
    assert.deepEqual((await hub.get(`${path('widgets')}/scaled`)).body['spec'], { size: 5 })
  })

  test('takes no strategic merge patch', async () => {
    assert.equal((await hub.patch(`${path('widgets')}/a`, 'strategic', { spec: { size: 2 } })).status, 415)
  })
})

suite('a definition', () => {
  test('that claims a name in use is not served until the name is free', async () => {
    await hub.post(crds, crd('firsts', { names: { shortNames: ['same'] } }))
    const second = await hub.post(crds, crd('seconds', { names: { shortNames: ['same'] } }))
    assert.equal(condition(second.body, 'NamesAccepted'), 'False')
    assert.equal((await hub.get(path('seconds'))).status, 404)
    const events = hub.watch(
      `${crds}?watch=1&fieldSelector=metadata.name%3Dseconds.example.com&resourceVersion=${textAt(meta(second.body), 'resourceVersion')}`,
      1,
    )
    await hub.delete(`${crds}/firsts.example.com`)
    assert.equal(condition(objectAt((await events)[0] ?? {}, 'object'), 'Established'), 'True')
    assert.equal((await hub.get(path('seconds'))).status, 200)
  })

  test('serves several versions of the same objects', async () => {
    const [v1] = objectsAt(objectAt(crd('multis'), 'spec'), 'versions')
    const versions = [v1 ?? {}, { ...v1, name: 'v2', storage: false, deprecated: true }]
    await hub.post(crds, crd('multis', { spec: { versions } }))
    await hub.post(path('multis', 'v2'), object('Multi', 'a', { spec: { size: 3 } }, 'v2'))
    const one = await hub.get(`${path('multis')}/a`)
    const two = await hub.get(`${path('multis', 'v2')}/a`)
    assert.equal(one.body['apiVersion'], 'example.com/v1')
    assert.equal(two.body['apiVersion'], 'example.com/v2')
    assert.deepEqual(two.headers['warning'], ['299 - "example.com/v2 Multi is deprecated"'])
    assert.equal(meta(one.body)['resourceVersion'], meta(two.body)['resourceVersion'])
    const [event] = await hub.watch(`${path('multis', 'v2')}?watch=1`, 1)
    assert.equal(objectAt(event ?? {}, 'object')['apiVersion'], 'example.com/v2')
    const list = (await hub.get(path('multis', 'v2'))).body
    assert.deepEqual(
      objectsAt(list, 'items').map((item) => item['apiVersion']),
      ['example.com/v2'],
    )
  })

  test('whose schema changes shows old objects in the new form, under their old version', async () => {
    await hub.post(crds, crd('shapes'))
    const old = await hub.post(path('shapes'), object('Shape', 'a', { spec: { name: 'x' } }))
    const added = { size: { type: 'integer' }, name: { type: 'string' }, colour: { type: 'string', default: 'blue' } }
    const live = (await hub.get(`${crds}/shapes.example.com`)).body
    const { spec } = crd('shapes', { properties: added })
    const changed = await hub.put(`${crds}/shapes.example.com`, { ...live, spec: spec ?? null })
    assert.equal(changed.status, 200, changed.text)
    const shown = await hub.get(`${path('shapes')}/a`)
    assert.deepEqual(shown.body['spec'], { size: 1, name: 'x', colour: 'blue' })
    assert.equal(meta(shown.body)['resourceVersion'], meta(old.body)['resourceVersion'])
  })

  test('that gets selectable fields finds the objects that are there, also after a restart', async () => {
    const store = await openMemoryStore({ random })
    await using _store = store
    const coloured = (more: JsonObject) => crd('paints', { properties: { colour: { type: 'string' } }, version: more })
    const red = `${path('paints')}?fieldSelector=spec.colour%3Dred`
    {
      await using first = await createTestHub({ store })
      await first.post(crds, coloured({}))
      for (const colour of ['red', 'blue'])
        await first.post(path('paints'), object('Paint', colour, { spec: { colour } }))
      assert.equal((await first.get(red)).status, 400)
      const { body } = await first.get(`${crds}/paints.example.com`)
      const next = {
        ...coloured({ selectableFields: [{ jsonPath: '.spec.colour' }] }),
        metadata: body['metadata'] ?? null,
      }
      assert.equal((await first.put(`${crds}/paints.example.com`, next)).status, 200)
      assert.equal(objectsAt((await first.get(red)).body, 'items').length, 1)
    }
    await using second = await createTestHub({ store })
    assert.equal(objectsAt((await second.get(red)).body, 'items').length, 1)
  })

  test('that goes ends its watches after their last event', async () => {
    await hub.post(crds, crd('leavings'))
    await hub.post(path('leavings'), object('Leaving', 'a'))
    const events = hub.watch(`${path('leavings')}?watch=1`)
    await hub.delete(`${crds}/leavings.example.com`)
    assert.deepEqual(
      (await events).map((event) => event['type']),
      ['ADDED', 'DELETED'],
    )
  })

  test('goes last: first its objects, through their finalizers', async () => {
    await hub.post(crds, crd('endings'))
    const held = await hub.post(path('endings'), {
      ...object('Ending', 'held'),
      metadata: { name: 'held', finalizers: ['x.io/f'] },
    })
    await hub.post(path('endings'), object('Ending', 'free'))
    const version = textAt(meta(held.body), 'resourceVersion')
    const gone = hub.watch(
      `${path('endings')}?watch=1&fieldSelector=metadata.name%3Dheld&resourceVersion=${version}`,
      1,
    )
    const deleted = await hub.delete(`${crds}/endings.example.com`)
    assert.equal(condition(deleted.body, 'Terminating'), 'True')
    assert.equal(textAt((await gone)[0] ?? {}, 'type'), 'MODIFIED')
    const refused = await hub.post(path('endings'), object('Ending', 'late'))
    assert.equal(refused.status, 403)
    const events = hub.watch(
      `${crds}?watch=1&fieldSelector=metadata.name%3Dendings.example.com&resourceVersion=${textAt(meta(deleted.body), 'resourceVersion')}`,
      1,
    )
    await hub.patch(`${path('endings')}/held`, 'merge', { metadata: { finalizers: null } })
    assert.equal(textAt((await events)[0] ?? {}, 'type'), 'DELETED')
    assert.equal((await hub.get(path('endings'))).status, 404)
  })

  test('with rules that are not enforced yet says so', async () => {
    const properties = { size: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 0' }] } }
    const { headers } = await hub.post(`${crds}?dryRun=All`, crd('ruleds', { properties }))
    assert.equal(Array.isArray(headers['warning']) && headers['warning'].length, 1)
  })
})
