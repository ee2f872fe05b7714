import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import { equalJson, type Json, type JsonObject, parseJson, stringifyJson } from '@orrery/api'
import { isList, isObject, objectAt, textAt, textsAt } from './registry/json-access.ts'
import { clock, createTestHub, type TestHub } from './testdata/test-hub.ts'

/**
 * Requests and answers of kube-apiserver 1.35.4, replayed in order. `differs` is the reason of a difference
 * that is meant: a part of the API that the hub does not have, or our own texts and codes. A difference
 * without a reason fails, and so does a reason without a difference.
 */
interface Recorded {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string | undefined
  readonly status: number
  readonly response: Json
  readonly differs: string
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
      typeof header === 'string' ? header : textsAt(objectAt(value, 'headers'), key),
    ])
    return {
      name: textAt(value, 'name'),
      method: textAt(value, 'method'),
      path: textAt(value, 'path'),
      headers: Object.fromEntries(headers),
      body: typeof value['body'] === 'string' ? value['body'] : undefined,
      status: Number(value['status']),
      response: value['response'] ?? null,
      differs: textAt(value, 'differs'),
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

  /** The text with what this run gave out. */
  apply(text: string): string {
    let result = text
    for (const [from, to] of this.#texts) result = result.replaceAll(from, to)
    return result
  }
}

/** An answer as a value: an object, the events of a watch, or text. */
function valueOf(answer: string): Json {
  if (!answer.startsWith('{')) return answer
  const lines = answer.split('\n').filter((line) => line !== '')
  const isWatch = lines.length > 0 && lines.every((line) => line.startsWith('{"type":'))
  return isWatch ? lines.map((line) => parseJson(line).value) : parseJson(answer).value
}

suite('answers of kube-apiserver 1.35.4', () => {
  const recorded = readRecorded()
  const known = new Substitutions()
  let hub: TestHub
  before(async () => {
    // Reads of the future and watches wait for seconds; here they need not.
    const schedule = (delayMs: number, callback: () => void) => clock.schedule(delayMs / 50, callback)
    hub = await createTestHub({ clock: { ...clock, schedule } })
  })
  after(async () => {
    await hub[Symbol.asyncDispose]()
  })

  test('most answers are the same', () => {
    assert.ok(recorded.filter(({ differs }) => differs === '').length > 170)
  })

  for (const { name, method, path, headers, body, status, response, differs } of recorded) {
    test(`${name} ${method} ${path.slice(0, 100)}`, async () => {
      const anonymous = name.includes('anon') || headers['authorization'] !== undefined
      const answer = await hub.call(method, known.apply(path), {
        headers,
        ...(body === undefined ? {} : { body: known.apply(body) }),
        ...(anonymous ? { peer: {} } : {}),
      })
      known.learn(response, answer.body)
      const got = stable(valueOf(answer.text))
      const want = stable(valueOf(known.apply(typeof response === 'string' ? response : stringifyJson(response))))
      const isSame = answer.status === status && equalJson(got, want)
      if (differs !== '') assert.ok(!isSame, `no difference any more: ${differs}`)
      else if (!isSame) assert.deepEqual({ status: answer.status, answer: got }, { status, answer: want })
    })
  }
})
