import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findInsertionPoint, spliceRevision } from './splice.ts'

const splice = (json: string): string => {
  const bytes = Buffer.from(json)
  return Buffer.from(spliceRevision(bytes, findInsertionPoint(bytes), 7)).toString()
}

for (const { json, want } of [
  { json: '{"metadata":{}}', want: '{"metadata":{"resourceVersion":"7"}}' },
  { json: '{"metadata":{"name":"a"}}', want: '{"metadata":{"resourceVersion":"7","name":"a"}}' },
  { json: '{ "metadata" : { } }', want: '{ "metadata" : {"resourceVersion":"7" } }' },
  {
    json: '{"a":{"metadata":{}},"metadata":{"x":1}}',
    want: '{"a":{"metadata":{}},"metadata":{"resourceVersion":"7","x":1}}',
  },
  { json: '{"a":"metadata","metadata":{}}', want: '{"a":"metadata","metadata":{"resourceVersion":"7"}}' },
  {
    json: '{"a":"\\"metadata\\":{","metadata":{}}',
    want: '{"a":"\\"metadata\\":{","metadata":{"resourceVersion":"7"}}',
  },
  { json: '{"a":"\\\\","metadata":{}}', want: '{"a":"\\\\","metadata":{"resourceVersion":"7"}}' },
  {
    json: '{"a":["metadata",{"metadata":{}}],"metadata":{}}',
    want: '{"a":["metadata",{"metadata":{}}],"metadata":{"resourceVersion":"7"}}',
  },
  { json: '{"metadata":null}', want: '{"metadata":null}' },
  { json: '{}', want: '{}' },
  { json: 'not json', want: 'not json' },
  { json: '', want: '' },
]) {
  test(`the revision is spliced into ${json}`, () => assert.equal(splice(json), want))
}

test('splicing changes nothing but metadata.resourceVersion', () => {
  const anything = fc.jsonValue()
  const object = fc.record({ before: anything, metadata: fc.dictionary(fc.string(), anything), after: anything })
  fc.assert(
    fc.property(object, (value) => {
      const spliced: unknown = JSON.parse(splice(JSON.stringify(value)))
      assert.deepEqual(
        spliced,
        JSON.parse(JSON.stringify({ ...value, metadata: { resourceVersion: '7', ...value.metadata } })),
      )
    }),
  )
})
