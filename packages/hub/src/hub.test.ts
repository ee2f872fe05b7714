import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Json, JsonObject } from '@orrery/api'
import { isList, objectAt, objectsAt, textAt, textsAt } from './registry/json-access.ts'
import { admin, createTestHub, janeToken, type TestHub } from './testdata/test-hub.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'
const meta = (object: JsonObject) => objectAt(object, 'metadata')
const version = (object: JsonObject) => textAt(meta(object), 'resourceVersion')
const names = (list: JsonObject) => objectsAt(list, 'items').map((item) => textAt(meta(item), 'name'))
const configMap = (name: string, more: JsonObject = {}, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  ...more,
})

let hub: TestHub
before(async () => {
  hub = await createTestHub()
})
after(async () => {
  await hub[Symbol.asyncDispose]()
})

suite('create', () => {
  test('the server owns uid, times and deletion', async () => {
    const claimed = { uid: 'x', creationTimestamp: '2000-01-01T00:00:00Z', deletionTimestamp: '2000-01-01T00:00:00Z' }
    const { status, body } = await hub.post(configMaps, configMap('owned', {}, claimed))
    assert.equal(status, 201)
    assert.notEqual(textAt(meta(body), 'uid'), 'x')
    assert.notEqual(textAt(meta(body), 'creationTimestamp'), claimed.creationTimestamp)
    assert.equal(meta(body)['deletionTimestamp'], undefined)
  })

  test('a name that is taken is 409 AlreadyExists', async () => {
    await hub.post(configMaps, configMap('twice'))
    const { status, body } = await hub.post(configMaps, configMap('twice'))
    assert.equal(status, 409)
    assert.equal(body['reason'], 'AlreadyExists')
    assert.equal(body['message'], 'configmaps "twice" already exists')
  })

  test('generateName gives the first 58 characters and five more', async () => {
    const base = `${'g'.repeat(70)}-`
    const { status, body } = await hub.post(configMaps, { metadata: { generateName: base } })
    assert.equal(status, 201)
    assert.match(textAt(meta(body), 'name'), /^g{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  })

  test('a dry run answers the object and stores nothing', async () => {
    const { status, body } = await hub.post(`${configMaps}?dryRun=All`, configMap('dry'))
    assert.equal(status, 201)
    assert.notEqual(textAt(meta(body), 'uid'), '')
    assert.equal(version(body), '')
    assert.equal((await hub.get(`${configMaps}/dry`)).status, 404)
  })

  test('a missing namespace is 404, and nothing is stored', async () => {
    const { status, body } = await hub.post('/api/v1/namespaces/nope/configmaps', configMap('a'))
    assert.equal(status, 404)
    assert.equal(body['message'], 'namespaces "nope" not found')
  })

  test('a terminating namespace takes no new objects', async () => {
    await hub.post('/api/v1/namespaces', { metadata: { name: 'ending' } })
    const deleted = await hub.delete('/api/v1/namespaces/ending')
    assert.equal(textAt(objectAt(deleted.body, 'status'), 'phase'), 'Terminating')
    const { status, body } = await hub.post('/api/v1/namespaces/ending/configmaps', configMap('a'))
    assert.equal(status, 403)
    assert.equal(objectsAt(objectAt(body, 'details'), 'causes')[0]?.['reason'], 'NamespaceTerminating')
  })

  test('an owner in another namespace is refused', async () => {
    const owner = await hub.post(configMaps, configMap('owner'))
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: textAt(meta(owner.body), 'uid') },
    ]
    const elsewhere = '/api/v1/namespaces/kube-public/configmaps'
    assert.equal((await hub.post(elsewhere, configMap('dependent', {}, { ownerReferences }))).status, 422)
    assert.equal((await hub.post(configMaps, configMap('dependent', {}, { ownerReferences }))).status, 201)
  })

  test('an object beyond the storage limit is 413', async () => {
    const data = { a: 'x'.repeat(1_000_000), b: 'x'.repeat(40_000) }
    const annotations = { c: 'x'.repeat(200_000) }
    assert.equal((await hub.post(configMaps, configMap('fits', { data: { a: data.b } }, { annotations }))).status, 201)
    assert.equal((await hub.call('POST', configMaps, { body: Buffer.alloc(3 * 1024 * 1024 + 1, 0x20) })).status, 413)
  })
})

suite('read', () => {
  test('an object is served as JSON, YAML, Table and metadata', async () => {
    await hub.post(configMaps, configMap('forms', { data: { k: 'v' } }))
    const as = (form: string) =>
      hub.get(`${configMaps}/forms`, { accept: `application/json;as=${form};g=meta.k8s.io;v=v1` })
    assert.match(
      (await hub.get(`${configMaps}/forms`, { accept: 'application/yaml' })).text,
      /^apiVersion: v1\nkind: ConfigMap\n/,
    )
    const table = (await as('Table')).body
    assert.deepEqual(
      objectsAt(table, 'columnDefinitions').map((column) => column['name']),
      ['Name', 'Data', 'Age'],
    )
    const [row] = objectsAt(table, 'rows')
    assert.match(JSON.stringify((row ?? {})['cells']), /^\["forms",/)
    const partial = (await as('PartialObjectMetadata')).body
    assert.deepEqual(Object.keys(partial), ['kind', 'apiVersion', 'metadata'])
  })

  test('a list goes on page by page from one snapshot', async () => {
    await hub.post('/api/v1/namespaces', { metadata: { name: 'pages' } })
    const path = '/api/v1/namespaces/pages/configmaps'
    for (const name of ['a', 'b', 'c', 'd', 'e']) await hub.post(path, configMap(name))
    const first = (await hub.get(`${path}?limit=2`)).body
    assert.deepEqual(names(first), ['a', 'b'])
    assert.equal(meta(first)['remainingItemCount'], 3)
    await hub.delete(`${path}/c`)
    await hub.post(path, configMap('bb'))
    const second = (await hub.get(`${path}?limit=10&continue=${textAt(meta(first), 'continue')}`)).body
    assert.deepEqual(names(second), ['c', 'd', 'e'])
    assert.equal(version(second), version(first))
  })

  test('a continue token of another list is refused', async () => {
    const first = (await hub.get('/api/v1/namespaces/pages/configmaps?limit=1')).body
    const token = textAt(meta(first), 'continue')
    assert.equal((await hub.get(`/api/v1/namespaces/default/configmaps?continue=${token}`)).status, 400)
    assert.equal((await hub.get(`/api/v1/namespaces/pages/secrets?continue=${token}`)).status, 400)
  })

  test('selectors choose by labels and fields', async () => {
    const path = '/api/v1/namespaces/pages/secrets'
    await hub.post(path, { metadata: { name: 's1', labels: { app: 'x' } }, type: 'example.com/a' })
    await hub.post(path, { metadata: { name: 's2', labels: { app: 'y' } } })
    assert.deepEqual(names((await hub.get(`${path}?labelSelector=app%3Dx`)).body), ['s1'])
    assert.deepEqual(names((await hub.get(`${path}?labelSelector=app!%3Dx`)).body), ['s2'])
    assert.deepEqual(names((await hub.get(`${path}?fieldSelector=type%3Dexample.com/a`)).body), ['s1'])
    assert.equal((await hub.get(`${path}?fieldSelector=spec.x%3D1`)).status, 400)
  })

  test('a list of a namespace that is not there is empty', async () => {
    const { status, body } = await hub.get('/api/v1/namespaces/nowhere/configmaps')
    assert.equal(status, 200)
    assert.deepEqual(body['items'], [])
  })
})

suite('update and patch', () => {
  test('a write based on an old version is 409 and changes nothing', async () => {
    const created = (await hub.post(configMaps, configMap('stale', { data: { k: '1' } }))).body
    await hub.patch(`${configMaps}/stale`, 'merge', { data: { k: '2' } })
    const { status } = await hub.put(`${configMaps}/stale`, { ...created, data: { k: '3' } })
    assert.equal(status, 409)
    assert.deepEqual((await hub.get(`${configMaps}/stale`)).body['data'], { k: '2' })
  })

  test('a write that changes nothing keeps the version', async () => {
    const created = (await hub.post(configMaps, configMap('same', { data: { k: '1' } }))).body
    const again = (await hub.put(`${configMaps}/same`, configMap('same', { data: { k: '1' } }))).body
    assert.equal(version(again), version(created))
    assert.equal(version((await hub.patch(`${configMaps}/same`, 'merge', {})).body), version(created))
  })

  test('every kind of patch applies', async () => {
    await hub.post(configMaps, configMap('patched', { data: { a: '1' } }))
    const path = `${configMaps}/patched`
    await hub.patch(path, 'json', [{ op: 'add', path: '/data/b', value: '2' }])
    await hub.patch(path, 'merge', { data: { c: '3' } })
    await hub.patch(path, 'strategic', { data: { a: null } })
    const { status, body } = await hub.patch(`${path}?fieldManager=me`, 'apply', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      data: { d: '4' },
    })
    assert.equal(status, 200)
    assert.deepEqual(body['data'], { b: '2', c: '3', d: '4' })
    const managers = objectsAt(meta(body), 'managedFields').map((entry) => [entry['manager'], entry['operation']])
    assert.deepEqual(managers[0], ['me', 'Apply'])
  })

  test('many writers without a version all get through', async () => {
    await hub.post(configMaps, configMap('busy', { data: {} }))
    const keys = ['a', 'b', 'c', 'd']
    const answers = await Promise.all(
      keys.map((key) => hub.patch(`${configMaps}/busy`, 'merge', { data: { [key]: '1' } })),
    )
    assert.deepEqual(
      answers.map((answer) => answer.status),
      keys.map(() => 200),
    )
    const { body } = await hub.get(`${configMaps}/busy`)
    assert.deepEqual(Object.keys(objectAt(body, 'data')).sort(), keys)
  })

  test('apply creates, conflicts, and takes over by force', async () => {
    const config = (value: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', data: { k: value } })
    const path = `${configMaps}/applied?fieldManager`
    assert.equal((await hub.patch(`${path}=one`, 'apply', config('1'))).status, 201)
    const refused = await hub.patch(`${path}=two`, 'apply', config('2'))
    assert.equal(refused.status, 409)
    assert.equal(refused.body['message'], 'Apply failed with 1 conflict: conflict with "one": .data.k')
    const forced = await hub.patch(`${path}=two&force=true`, 'apply', config('2'))
    assert.equal(forced.status, 200)
    assert.deepEqual(
      objectsAt(meta(forced.body), 'managedFields').map((entry) => entry['manager']),
      ['two'],
    )
  })

  test('an identical apply keeps the version', async () => {
    const config = { apiVersion: 'v1', kind: 'ConfigMap', data: { k: '1' } }
    const first = await hub.patch(`${configMaps}/steady?fieldManager=m`, 'apply', config)
    const second = await hub.patch(`${configMaps}/steady?fieldManager=m`, 'apply', config)
    assert.equal(version(second.body), version(first.body))
  })

  test('labels through the status of a namespace are taken, its finalizers only through finalize', async () => {
    await hub.post('/api/v1/namespaces', { metadata: { name: 'finals' } })
    const path = '/api/v1/namespaces/finals'
    await hub.patch(path, 'merge', { spec: { finalizers: [] } })
    const live = (await hub.get(path)).body
    assert.deepEqual(textsAt(objectAt(live, 'spec'), 'finalizers'), ['kubernetes'])
    await hub.delete(path)
    const ending = (await hub.get(path)).body
    const finalized = await hub.put(`${path}/finalize`, { ...ending, spec: { finalizers: [] } })
    assert.equal(finalized.status, 200)
    assert.equal((await hub.get(path)).status, 404)
  })
})

suite('delete', () => {
  test('an object without finalizers is gone at once', async () => {
    const created = (await hub.post(configMaps, configMap('gone'))).body
    const { status, body } = await hub.delete(`${configMaps}/gone`)
    assert.equal(status, 200)
    assert.deepEqual(body['details'], { name: 'gone', kind: 'configmaps', uid: textAt(meta(created), 'uid') })
    assert.equal((await hub.get(`${configMaps}/gone`)).status, 404)
  })

  test('finalizers hold an object until the last one is taken away', async () => {
    await hub.post(configMaps, configMap('held', {}, { finalizers: ['x.io/a'] }))
    const deleted = await hub.delete(`${configMaps}/held`)
    assert.notEqual(textAt(meta(deleted.body), 'deletionTimestamp'), '')
    assert.equal(
      (await hub.post(configMaps, configMap('held'))).body['message'],
      'object is being deleted: configmaps "held" already exists',
    )
    const added = await hub.patch(`${configMaps}/held`, 'merge', { metadata: { finalizers: ['x.io/a', 'x.io/b'] } })
    assert.equal(added.status, 422)
    assert.equal((await hub.patch(`${configMaps}/held`, 'merge', { metadata: { finalizers: null } })).status, 200)
    assert.equal((await hub.get(`${configMaps}/held`)).status, 404)
  })

  for (const { policy, finalizers } of [
    { policy: 'Foreground', finalizers: ['foregroundDeletion'] },
    { policy: 'Orphan', finalizers: ['orphan'] },
  ])
    test(`${policy} leaves the work to the garbage collector`, async () => {
      const name = policy.toLowerCase()
      await hub.post(configMaps, configMap(name))
      const { body } = await hub.delete(`${configMaps}/${name}`, { propagationPolicy: policy })
      assert.deepEqual(textsAt(meta(body), 'finalizers'), finalizers)
    })

  test('a precondition that does not hold spares the object', async () => {
    await hub.post(configMaps, configMap('guarded'))
    const { status } = await hub.delete(`${configMaps}/guarded`, { preconditions: { uid: 'other' } })
    assert.equal(status, 409)
    assert.equal((await hub.get(`${configMaps}/guarded`)).status, 200)
  })

  test('with a body the query is ignored: it really deletes', async () => {
    await hub.post(configMaps, configMap('query'))
    await hub.delete(`${configMaps}/query?dryRun=All`, {})
    assert.equal((await hub.get(`${configMaps}/query`)).status, 404)
  })

  test('deletecollection takes what the selector chooses', async () => {
    await hub.post('/api/v1/namespaces', { metadata: { name: 'many' } })
    const path = '/api/v1/namespaces/many/configmaps'
    for (const name of ['a', 'b', 'c'])
      await hub.post(path, configMap(name, {}, { labels: { odd: name === 'b' ? '0' : '1' } }))
    const { body } = await hub.delete(`${path}?labelSelector=odd%3D1`)
    assert.equal(body['kind'], 'ConfigMapList')
    assert.deepEqual(names(body), ['a', 'c'])
    assert.deepEqual(names((await hub.get(path)).body), ['b'])
  })

  test('the namespaces that everything counts on cannot be deleted', async () => {
    assert.equal((await hub.delete('/api/v1/namespaces/default')).status, 403)
  })
})

suite('watch', () => {
  const types = (events: readonly JsonObject[]) => events.map((event) => event['type'])
  const shown = (events: readonly JsonObject[]) =>
    events.map((event) => `${textAt(event, 'type')} ${textAt(meta(objectAt(event, 'object')), 'name')}`)

  test('every change after a version arrives, in order, the deletion with a version of its own', async () => {
    const created = (await hub.post(configMaps, configMap('watched', { data: { k: '1' } }))).body
    await hub.patch(`${configMaps}/watched`, 'merge', { data: { k: '2' } })
    await hub.delete(`${configMaps}/watched`)
    const start = Number(version(created)) - 1
    const events = await hub.watch(`${configMaps}?watch=1&resourceVersion=${start}`, 3)
    assert.deepEqual(shown(events), ['ADDED watched', 'MODIFIED watched', 'DELETED watched'])
    const versions = events.map((event) => Number(version(objectAt(event, 'object'))))
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(versions).size, 3)
  })

  test('leaving the selection is DELETED with the last matching state', async () => {
    const created = (await hub.post(configMaps, configMap('leaves', { data: { k: 'in' } }, { labels: { in: '1' } })))
      .body
    await hub.patch(`${configMaps}/leaves`, 'merge', { metadata: { labels: { in: '0' } }, data: { k: 'out' } })
    const events = await hub.watch(`${configMaps}?watch=1&labelSelector=in%3D1&resourceVersion=${version(created)}`, 1)
    assert.deepEqual(shown(events), ['DELETED leaves'])
    assert.deepEqual(objectAt(events[0] ?? {}, 'object')['data'], { k: 'in' })
  })

  test('a watch list ends its initial events with a mark', async () => {
    await hub.post('/api/v1/namespaces', { metadata: { name: 'initial' } })
    const path = '/api/v1/namespaces/initial/configmaps'
    await hub.post(path, configMap('a'))
    const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
    const events = await hub.watch(`${path}?${query}`, 2)
    assert.deepEqual(types(events), ['ADDED', 'BOOKMARK'])
    const annotations = objectAt(meta(objectAt(events[1] ?? {}, 'object')), 'annotations')
    assert.deepEqual(annotations, { 'k8s.io/initial-events-end': 'true' })
  })

  test('a watch from a version that is not there yet tells the client to list again', async () => {
    const [event] = await hub.watch(`${configMaps}?watch=1&resourceVersion=99999999`, 1)
    assert.equal(event?.['type'], 'ERROR')
    assert.equal(objectAt(event ?? {}, 'object')['code'], 410)
  })

  test('a watch ends at its timeout', async () => {
    assert.deepEqual(
      await hub.watch(
        `${configMaps}?watch=1&timeoutSeconds=0&resourceVersion=${version((await hub.get(configMaps)).body)}`,
      ),
      [],
    )
  })
})

suite('access', () => {
  const jane = { authorization: `Bearer ${janeToken}` }
  const outside = { peer: {} }

  test('wrong credentials are 401, whatever they ask for', async () => {
    const { status, body } = await hub.call('GET', '/healthz', { ...outside, headers: { authorization: 'Bearer bad' } })
    assert.equal(status, 401)
    assert.deepEqual(body, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Unauthorized',
      reason: 'Unauthorized',
      code: 401,
    })
  })

  test('without a right the answer is the same whether the object exists or not', async () => {
    await hub.post(configMaps, configMap('secretive'))
    const ask = async (name: string) => {
      const { status, body } = await hub.call('GET', `${configMaps}/${name}`, { ...outside, headers: jane })
      return { status, message: textAt(body, 'message').replaceAll(name, 'NAME') }
    }
    assert.deepEqual(await ask('secretive'), await ask('nothing-here'))
    assert.equal((await ask('secretive')).status, 403)
  })

  test('everybody may see health and version, the signed in may discover, only masters see metrics', async () => {
    const status = async (path: string, headers: Readonly<Record<string, string>>) =>
      (await hub.call('GET', path, { ...outside, headers })).status
    for (const path of ['/healthz', '/livez', '/readyz', '/version']) assert.equal(await status(path, {}), 200, path)
    for (const path of ['/api', '/apis', '/openapi/v3', '/api/v1']) {
      assert.equal(await status(path, {}), 403, path)
      assert.equal(await status(path, jane), 200, path)
    }
    assert.equal(await status('/metrics', jane), 403)
    assert.equal((await hub.get('/metrics')).status, 200)
  })

  test('a body is not read before the right is established', async () => {
    const { status } = await hub.call('POST', configMaps, { ...outside, headers: jane, body: '{broken' })
    assert.equal(status, 403)
  })

  test('users may ask about themselves', async () => {
    const ask = (group: string, resource: string, spec: JsonObject) =>
      hub.call('POST', `/apis/${group}/v1/${resource}`, { ...outside, headers: jane, body: { spec } })
    const may = await ask('authorization.k8s.io', 'selfsubjectaccessreviews', {
      resourceAttributes: { verb: 'get', resource: 'secrets' },
    })
    assert.equal(may.status, 201)
    assert.equal(objectAt(may.body, 'status')['allowed'], false)
    const me = await ask('authentication.k8s.io', 'selfsubjectreviews', {})
    assert.deepEqual(objectAt(objectAt(me.body, 'status'), 'userInfo'), {
      username: 'jane',
      groups: ['dev', 'system:authenticated'],
    })
    const rules = await ask('authorization.k8s.io', 'selfsubjectrulesreviews', { namespace: 'default' })
    assert.equal(objectAt(rules.body, 'status')['incomplete'], false)
  })

  test('impersonation needs the right for every part, and never falls back to the own identity', async () => {
    const whoami = (headers: Readonly<Record<string, string>>, peer = admin) =>
      hub.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {}, headers, peer })
    const bob = await whoami({ 'impersonate-user': 'bob', 'impersonate-group': 'g1' })
    assert.deepEqual(objectAt(objectAt(bob.body, 'status'), 'userInfo'), {
      username: 'bob',
      groups: ['g1', 'system:authenticated'],
    })
    assert.equal((await whoami({ 'impersonate-group': 'g1' })).status, 400)
    assert.equal((await whoami({ 'impersonate-user': '' })).status, 400)
    assert.equal((await whoami({ ...jane, 'impersonate-user': 'bob' }, {})).status, 403)
  })
})

suite('bad input', () => {
  const post = (body: string, query = '', type = 'application/json') =>
    hub.call('POST', `${configMaps}${query}`, { body, headers: { 'content-type': type } })

  for (const { name, body, query, type, status } of [
    { name: 'an empty body', body: '', status: 400 },
    { name: 'truncated JSON', body: '{"a":', status: 400 },
    { name: 'a list', body: '[]', status: 400 },
    { name: 'two values', body: '{} {}', status: 400 },
    { name: 'a comment', body: '{} // x', status: 400 },
    { name: 'a depth of 501', body: '['.repeat(501), status: 400 },
    { name: 'broken UTF-8', body: '{"metadata":{"name":"\ud800"}}', status: 422 },
    { name: 'text', body: 'x', type: 'text/plain', status: 415 },
    { name: 'neither name nor generateName', body: '{}', status: 422 },
    { name: 'a bad name', body: '{"metadata":{"name":"A_b"}}', status: 422 },
    { name: 'a foreign kind', body: '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}', status: 400 },
    { name: 'a foreign version', body: '{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"x"}}', status: 400 },
    { name: 'another namespace', body: '{"metadata":{"name":"x","namespace":"kube-system"}}', status: 400 },
    { name: 'a number as label', body: '{"metadata":{"name":"x","labels":{"a":1}}}', status: 400 },
    { name: 'a number in data', body: '{"metadata":{"name":"x"},"data":{"a":1}}', status: 400 },
    { name: 'a resourceVersion', body: '{"metadata":{"name":"x","resourceVersion":"5"}}', status: 400 },
    {
      name: 'a duplicate key, strictly',
      body: '{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}',
      query: '?fieldValidation=Strict',
      status: 400,
    },
    {
      name: 'an unknown field, strictly',
      body: '{"metadata":{"name":"x"},"x":1}',
      query: '?fieldValidation=Strict',
      status: 400,
    },
    { name: 'dryRun=Maybe', body: '{"metadata":{"name":"x"}}', query: '?dryRun=Maybe', status: 422 },
    {
      name: 'a long field manager',
      body: '{"metadata":{"name":"x"}}',
      query: `?fieldManager=${'m'.repeat(129)}`,
      status: 422,
    },
    {
      name: 'both garbage collection finalizers',
      body: '{"metadata":{"name":"x","finalizers":["orphan","foregroundDeletion"]}}',
      status: 422,
    },
  ])
    test(`${name} is ${status}`, async () => {
      const answer = await post(body, query, type)
      assert.equal(answer.status, status, answer.text)
      assert.equal(answer.body['kind'], 'Status')
      assert.equal((await hub.get(`${configMaps}/x`)).status, 404)
    })

  test('dangerous keys are ordinary data', async () => {
    const { status } = await post(
      '{"metadata":{"name":"proto"},"data":{"__proto__":"a","constructor":"b","toString":"c"}}',
    )
    assert.equal(status, 201)
    const { text } = await hub.get(`${configMaps}/proto`)
    assert.match(text, /"data":\{"__proto__":"a","constructor":"b","toString":"c"\}/)
    await hub.patch(`${configMaps}/proto`, 'merge', '{"__proto__":{"polluted":true}}')
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })

  test('unknown and duplicate fields are warned of and dropped', async () => {
    const { status, headers, body } = await post('{"metadata":{"name":"warned"},"data":{"a":"1","a":"2"},"x":1}')
    assert.equal(status, 201)
    assert.deepEqual(headers['warning'], ['299 - "duplicate field \\"data.a\\""', '299 - "unknown field \\"x\\""'])
    assert.deepEqual(body['data'], { a: '2' })
    assert.equal(body['x'], undefined)
  })

  for (const { target, status } of [
    { target: `${configMaps}?limit=abc`, status: 400 },
    { target: `${configMaps}?limit=-1`, status: 200 },
    { target: `${configMaps}?continue=garbage`, status: 400 },
    { target: `${configMaps}?resourceVersion=abc`, status: 400 },
    { target: `${configMaps}?resourceVersionMatch=Exact`, status: 422 },
    { target: `${configMaps}?resourceVersion=0&resourceVersionMatch=Exact`, status: 422 },
    { target: `${configMaps}?sendInitialEvents=true`, status: 422 },
    { target: `${configMaps}?labelSelector=a%20in%20(`, status: 400 },
    { target: `${configMaps}?labelSelector=${'a'.repeat(17_000)}`, status: 400 },
    { target: `${configMaps}?watch=1&sendInitialEvents=true`, status: 422 },
    { target: '/api/v1/foos', status: 404 },
    { target: '/apis/nope.io/v1/foos', status: 404 },
    { target: '/nope', status: 404 },
    { target: '/api/v1/namespaces/default/configmaps/a/b', status: 404 },
    { target: '/api/v1/namespaces/default/pods%2fx', status: 400 },
  ])
    test(`GET ${target.slice(0, 90)} is ${status}`, async () => {
      const answer = await hub.get(target)
      assert.equal(answer.status, status, answer.text)
    })

  for (const { name, type, body, status } of [
    { name: 'a failed test', type: 'json', body: [{ op: 'test', path: '/data/k', value: 'x' }], status: 422 },
    {
      name: 'an index beyond the list',
      type: 'json',
      body: [{ op: 'add', path: '/metadata/finalizers/4294967295', value: 'x' }],
      status: 422,
    },
    {
      name: '10,001 operations',
      type: 'json',
      body: Array.from({ length: 10_001 }, (): Json => ({ op: 'test', path: '', value: 1 })),
      status: 413,
    },
    { name: 'no list', type: 'json', body: {}, status: 400 },
    { name: 'a list as merge patch', type: 'merge', body: [], status: 400 },
    { name: 'another name', type: 'merge', body: { metadata: { name: 'other' } }, status: 400 },
    { name: 'a foreign uid', type: 'merge', body: { metadata: { uid: 'x' } }, status: 422 },
    { name: 'a wrong type', type: 'merge', body: { data: { k: 1 } }, status: 422 },
    { name: 'an unknown directive', type: 'strategic', body: { data: { $patch: 'bogus' } }, status: 400 },
    {
      name: 'managed fields in an apply',
      type: 'apply',
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { managedFields: [] } },
      status: 400,
    },
    { name: 'an apply of another kind', type: 'apply', body: { apiVersion: 'v1', kind: 'Secret' }, status: 400 },
  ] as const)
    test(`a ${type} patch with ${name} is ${status}`, async () => {
      await hub.post(configMaps, configMap('target', { data: { k: 'v' } }))
      const unchanged = (await hub.get(`${configMaps}/target`)).text
      const answer = await hub.patch(`${configMaps}/target?fieldManager=m`, type, body)
      assert.equal(answer.status, status, answer.text)
      assert.equal((await hub.get(`${configMaps}/target`)).text, unchanged)
    })
})

test('each answer carries an audit id, and a client may choose it', async () => {
  assert.match(String((await hub.get('/api')).headers['audit-id']), /^[0-9a-f-]{36}$/)
  assert.equal((await hub.get('/api', { 'audit-id': 'mine-1' })).headers['audit-id'], 'mine-1')
})

test('lists are lists', async () => {
  assert.equal(isList((await hub.get(configMaps)).body['items']), true)
})
