import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, silentLogger } from '@orrery/api'
import { VirtualClock } from '@orrery/testing'
import { createClient } from './create-client.ts'
import { createInformer, INITIAL_PATIENCE_MS } from './create-informer.ts'
import {
  bookmark,
  configMap,
  createScript,
  evenRandom,
  failure,
  frames,
  json,
  openFrames,
} from './scripted-server.test-support.ts'

type Answers = Parameters<typeof createScript>[0]

/** Runs an informer against the answers and tells what its listener heard. */
async function follow(answers: Answers, options: { readonly advanceMs?: number; readonly resyncMs?: number } = {}) {
  const clock = new VirtualClock()
  const script = createScript(answers)
  const parts = { clock, random: evenRandom }
  const client = createClient({ transport: script.handle, userAgent: 'test', ...parts })
  const resync = options.resyncMs === undefined ? {} : { resyncMs: options.resyncMs }
  const informer = createInformer({ client, kind: configMaps, log: silentLogger, ...parts, ...resync })
  const heard: string[] = []
  informer.listen(({ type, key, cause }) => void heard.push(`${type} ${key.name} ${cause}`))
  const stop = new AbortController()
  const running = informer.run(stop.signal)
  await clock.advance(options.advanceMs ?? 5_000)
  const result = {
    heard,
    informer,
    requests: script.requests,
    names: informer.list().map((object) => object.metadata.name),
  }
  stop.abort()
  await running
  return result
}

const added = (name: string, revision: string, uid?: string) => ({
  type: 'ADDED',
  object: configMap(name, revision, uid),
})
const listOf = (revision: string, ...objects: readonly unknown[]) =>
  json(200, { metadata: { resourceVersion: revision }, items: objects })

test('the view is complete only at the bookmark that says so', async () => {
  const { heard, informer } = await follow([(request) => openFrames(request, added('a', '1'))])
  assert.equal(informer.synced, false)
  assert.deepEqual(heard, [])
})

test('it resumes at the last revision seen, from an event or a bookmark', async () => {
  const { heard, requests } = await follow([
    () => frames(added('a', '1'), bookmark('5', true), { type: 'MODIFIED', object: configMap('a', '7') }),
    () => frames(bookmark('9')),
    (request) => openFrames(request),
  ])
  assert.deepEqual(heard, ['added a initial', 'updated a watch'])
  assert.deepEqual(
    requests.map(({ target }) => /resourceVersion=(\d+)/.exec(target)?.[1]),
    [undefined, '7', '9'],
  )
})

test('a server without WatchList is listed and watched', async () => {
  const { heard, requests } = await follow([
    () => failure(422, 'Invalid'),
    () => listOf('5', configMap('a', '1')),
    (request) => openFrames(request, added('b', '6')),
  ])
  assert.deepEqual(heard, ['added a initial', 'added b watch'])
  assert.match(requests[2]?.target ?? '', /resourceVersion=5/)
})

test('a server that ignores the wish for initial events is noticed', async () => {
  const { names } = await follow(
    [(request) => openFrames(request, added('a', '1')), () => listOf('5', configMap('a', '1'), configMap('b', '2'))],
    { advanceMs: INITIAL_PATIENCE_MS + 5_000 },
  )
  assert.deepEqual(names, ['a', 'b'])
})

test('after 410 it lists again, and what lives is not announced as deleted', async () => {
  const { heard } = await follow([
    () => frames(added('a', '1'), added('b', '2'), bookmark('5', true)),
    () =>
      frames({
        type: 'ERROR',
        object: { kind: 'Status', status: 'Failure', reason: 'Expired', message: 'old', code: 410 },
      }),
    (request) => openFrames(request, added('a', '1'), added('c', '8'), bookmark('9', true)),
  ])
  assert.deepEqual(heard, ['added a initial', 'added b initial', 'deleted b relist', 'added c relist'])
})

test('another uid under the same name is a deletion and a creation', async () => {
  const { heard } = await follow([
    (request) => openFrames(request, added('a', '1'), bookmark('5', true), added('a', '6', 'another')),
  ])
  assert.deepEqual(heard, ['added a initial', 'deleted a watch', 'added a watch'])
})

for (const { name, answer } of [
  {
    name: 'a kind that is gone',
    answer: () => ({ status: 404, headers: {}, body: Buffer.from('404 page not found') }),
  },
  { name: 'a refusal', answer: () => failure(403, 'Forbidden') },
  { name: 'a list that breaks off', answer: () => frames(added('a', '1')) },
  { name: 'a list without a revision', answer: () => json(200, { metadata: {}, items: [] }) },
]) {
  test(`${name} empties no view, and is told`, async () => {
    const { names, informer } = await follow([
      () => frames(added('a', '1'), bookmark('5', true)),
      () => failure(410, 'Expired'),
      ...Array.from({ length: 20 }, () => answer),
    ])
    assert.deepEqual(names, ['a'])
    assert.notEqual(informer.failure, undefined)
  })
}

test('a server that hangs up at once is not hammered', async () => {
  const { requests } = await follow(
    [() => frames(bookmark('5', true)), ...Array.from({ length: 1_000 }, () => () => frames())],
    {
      advanceMs: 60_000,
    },
  )
  assert.ok(requests.length < 20, `${requests.length}`)
})

test('a resync announces every object once in its time', async () => {
  const objects = Array.from({ length: 40 }, (_, index) => added(`object-${index}`, '1'))
  const { heard } = await follow([(request) => openFrames(request, ...objects, bookmark('5', true))], {
    resyncMs: 1_000,
    advanceMs: 1_000,
  })
  const updates = heard.filter((line) => line.startsWith('updated'))
  assert.equal(updates.length, 40)
  assert.equal(new Set(updates).size, 40)
})

test('an index or a listener that fails on one object leaves the others theirs', async () => {
  const clock = new VirtualClock()
  const script = createScript([
    (request) => openFrames(request, added('bad', '1'), added('good', '2'), bookmark('5', true)),
  ])
  const parts = { clock, random: evenRandom }
  const client = createClient({ transport: script.handle, userAgent: 'test', ...parts })
  const failing = (object: { readonly metadata: { readonly name: string } }) => {
    if (object.metadata.name === 'bad') throw new Error('surprised')
    return ['all']
  }
  const informer = createInformer({ client, kind: configMaps, log: silentLogger, indexes: { all: failing }, ...parts })
  informer.listen(({ current }) => void (current && failing(current)))
  const stop = new AbortController()
  const running = informer.run(stop.signal)
  await clock.advance(10)
  assert.deepEqual(
    informer.byIndex('all', 'all').map((object) => object.metadata.name),
    ['good'],
  )
  assert.equal(informer.list().length, 2)
  assert.throws(() => informer.byIndex('unknown', 'x'), RangeError)
  stop.abort()
  await running
})
