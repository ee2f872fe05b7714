import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import { type JsonObject, parseJson } from '@orrery/api'
import { isObject, objectAt, textAt } from './registry/json-access.ts'
import { openMemoryStore } from './store/memory-store.ts'
import type { Store } from './store/store.ts'
import { type Answer, clock, createTestHub, janeToken, random, type TestHub } from './testdata/test-hub.ts'

/**
 * Bad requests that kube-apiserver 1.35.4 was asked, in the order of the recording, with the status that
 * this hub owes. Where that differs, `kubernetes` is the recorded status and `why` the reason of ours.
 * `{{field:path}}` in a path or body stands for a metadata field of an answer of this run; without a
 * path, of the object that the request addresses.
 */
interface BadInput {
  readonly row: number
  readonly name: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly as: string
  readonly body: string | undefined
  /** Base64, for bodies that are not UTF-8. */
  readonly bytes: string | undefined
  /** 0 for set-up steps that may find nothing to do. */
  readonly status: number
  readonly reason: string
  readonly kubernetes: number | undefined
  readonly why: string
}

/** What one request may keep a core busy; the aim is a tenth of it, the rest is for slow machines. */
const maxBusyMs = 1000

function readInputs(): readonly BadInput[] {
  const text = readFileSync(new URL('./testdata/bad-inputs-1.35.4.jsonl', import.meta.url), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { value } = parseJson(line)
      if (!isObject(value)) throw new Error('a recorded line is not an object')
      const headers = Object.entries(objectAt(value, 'headers')).map(([key]) => [
        key,
        textAt(objectAt(value, 'headers'), key),
      ])
      const optional = (key: string) => (typeof value[key] === 'string' ? value[key] : undefined)
      return {
        row: Number(value['row']),
        name: textAt(value, 'name'),
        method: textAt(value, 'method'),
        path: textAt(value, 'path'),
        headers: Object.fromEntries(headers),
        as: textAt(value, 'as'),
        body: optional('body'),
        bytes: optional('bytes'),
        status: Number(value['status']),
        reason: textAt(value, 'reason'),
        kubernetes: value['kubernetes'] === undefined ? undefined : Number(value['kubernetes']),
        why: textAt(value, 'why'),
      }
    })
}

suite('bad input', () => {
  let store: Store
  let hub: TestHub
  before(async () => {
    store = await openMemoryStore({ random })
    // Reads of the future and watches wait for seconds; here they need not.
    const hasty = {
      ...clock,
      schedule: (delayMs: number, callback: () => void) => clock.schedule(delayMs / 50, callback),
    }
    hub = await createTestHub({ store, clock: hasty })
    await hub.post('/api/v1/namespaces/default/secrets', { metadata: { name: 'canary' }, stringData: { key: canary } })
  })
  after(async () => {
    await hub[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  })

  /** Puts this run's uids, versions and tokens in. */
  async function resolved(text: string, path: string): Promise<string> {
    let result = text
    for (const [whole, field = '', of = path.replace(/\?.*|\/scale$/, '')] of text.matchAll(
      /\{\{(\w+)(?::([^}]+))?\}\}/g,
    )) {
      const { body } = await hub.get(of)
      result = result.replace(whole, textAt(objectAt(body, 'metadata'), field))
    }
    return result
  }

  async function send(input: BadInput): Promise<Answer> {
    const { method, headers, as, body, bytes } = input
    const path = await resolved(input.path, input.path)
    const content = bytes === undefined ? body && (await resolved(body, input.path)) : Buffer.from(bytes, 'base64')
    const signedIn = as === 'jane' ? { ...headers, authorization: `Bearer ${janeToken}` } : headers
    return hub.call(method, path, {
      headers: signedIn,
      ...(content === undefined ? {} : { body: content }),
      ...(as === '' ? {} : { peer: {} }),
    })
  }

  for (const input of readInputs()) {
    test(`${input.row} ${input.name}`, async () => {
      const revision = await store.revision()
      const busy = process.cpuUsage()
      const answer = await send(input)
      const { user, system } = process.cpuUsage(busy)
      if (input.status !== 0) assert.equal(answer.status, input.status, answer.text.slice(0, 500))
      assert.ok(!answer.text.includes(canary) && !answer.text.includes(janeToken), 'a secret is in the answer')
      assert.ok((user + system) / 1000 < maxBusyMs, `${(user + system) / 1000} ms of work`)
      if (answer.status < 400) return
      if (input.method !== 'HEAD') assertStatus(answer, input.reason)
      assert.equal(await store.revision(), revision, 'a refused request wrote something')
    })
  }

  test('each difference from kube-apiserver has its reason', () => {
    const unexplained = readInputs().filter(({ kubernetes, why }) => (kubernetes === undefined) !== (why === ''))
    assert.deepEqual(unexplained, [])
  })
})

const canary = 'Y2FuYXJ5IGluIGEgc2VjcmV0'

function assertStatus(answer: Answer, reason: string): void {
  const status: JsonObject = answer.body
  assert.equal(status['kind'], 'Status', answer.text.slice(0, 500))
  assert.equal(status['code'], answer.status)
  assert.equal(answer.headers['x-content-type-options'], 'nosniff')
  if (reason !== '') assert.equal(status['reason'], reason)
}
