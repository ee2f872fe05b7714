import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import { equalJson, type Json, type JsonObject, parseJson } from '@orrery/api'
import { isList, isObject, objectAt, textAt } from './registry/json-access.ts'
import { createTestHub, type TestHub } from './testdata/test-hub.ts'

/**
 * Requests and answers of kube-apiserver 1.35.4, replayed in order. Lines with `compare: false` set the
 * stage, or stand for a difference that is meant (our own texts and codes for bad input) or for a part of
 * the API that the hub does not have.
 */
interface Recorded {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly status: number
  readonly response: Json
  readonly compare: boolean
}

const volatile = new Set(['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp', 'time', 'continue'])

/** Without what differs from run to run; causes and message parts of many errors come in no fixed order. */
function stable(value: Json): Json {
  if (isList(value)) return value.map(stable)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (volatile.has(key) ? [] : [[key, stable(member)] as const])),
  )
}

function readRecorded(): readonly Recorded[] {
  const text = readFileSync(new URL('./testdata/recorded-1.35.4.jsonl', import.meta.url), 'utf8')
  return text.split('\n').flatMap((line) => {
    if (line === '') return []
    const { value } = parseJson(line)
    if (!isObject(value)) throw new Error('a recorded line is not an object')
    const headers = Object.entries(objectAt(value, 'headers')).map(([key, header]) => [
      key.toLowerCase(),
      typeof header === 'string' ? header : '',
    ])
    return {
      name: textAt(value, 'name'),
      method: textAt(value, 'method'),
      path: textAt(value, 'path'),
      headers: Object.fromEntries(headers),
      body: typeof value['body'] === 'string' ? value['body'] : undefined,
      status: Number(value['status']),
      response: value['response'] ?? null,
      compare: value['compare'] === true,
    }
  })
}

/** Recorded uids and versions stand for those that this run gave out. */
class Substitutions {
  readonly #texts = new Map<string, string>()

  learn(recorded: Json, answered: JsonObject): void {
    if (!isObject(recorded)) return
    const was = objectAt(recorded, 'metadata')
    const is = objectAt(answered, 'metadata')
    const [uid, version] = [textAt(was, 'uid'), textAt(was, 'resourceVersion')]
    if (uid !== '' && textAt(is, 'uid') !== '') this.#texts.set(uid, textAt(is, 'uid'))
    if (version !== '' && textAt(is, 'resourceVersion') !== '') {
      this.#texts.set(`"resourceVersion":"${version}"`, `"resourceVersion":"${textAt(is, 'resourceVersion')}"`)
    }
  }

  apply(text: string): string {
    let result = text
    for (const [from, to] of this.#texts) result = result.replaceAll(from, to)
    return result
  }
}

suite('answers of kube-apiserver 1.35.4', () => {
  const recorded = readRecorded()
  const known = new Substitutions()
  let hub: TestHub
  before(async () => {
    hub = await createTestHub()
  })
  after(async () => {
    await hub[Symbol.asyncDispose]()
  })

  test('there are answers to compare with', () => {
    assert.ok(recorded.filter((line) => line.compare).length > 150)
  })

  for (const { name, method, path, headers, body, status, response, compare } of recorded) {
    test(`${name} ${method} ${path.slice(0, 100)}`, async () => {
      const anonymous = name.includes('anon') || headers['authorization'] !== undefined
      const answer = await hub.call(method, known.apply(path), {
        headers,
        ...(body === undefined ? {} : { body: known.apply(body) }),
        ...(anonymous ? { peer: {} } : {}),
      })
      known.learn(response, answer.body)
      if (!compare) return
      assert.equal(answer.status, status, answer.text)
      const got: Json = answer.text.startsWith('{') ? answer.body : answer.text
      if (!equalJson(stable(got), stable(response))) assert.deepEqual(stable(got), stable(response))
    })
  }
})
