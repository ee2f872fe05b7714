import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadlineMs, parseDuration } from './deadline.ts'
import { parseRequestInfo } from './request-info.ts'

for (const { text, want } of [
  { text: '1m30s', want: 90_000 },
  { text: '1.5s', want: 1500 },
  { text: '-2s', want: -2000 },
  { text: '0', want: 0 },
  { text: '250ms', want: 250 },
  { text: 'abc', want: undefined },
  { text: '10', want: undefined },
  { text: '', want: undefined },
])
  test(`the Go duration ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), want))

test('a client may shorten the deadline, not lengthen it', () => {
  const of = (method: string, timeout: string) =>
    deadlineMs(parseRequestInfo(method, `/api/v1/namespaces?timeout=${timeout}`))
  assert.equal(of('GET', '5s'), 5000)
  assert.equal(of('GET', '1h'), 60_000)
  assert.equal(of('POST', '60s'), 34_000)
  assert.equal(of('GET', '0s'), 60_000)
  assert.equal(of('GET', '-1s'), 60_000)
})
