import assert from 'node:assert/strict'
import test from 'node:test'
import { parseJsonSchema } from './parse-schema.ts'

test('a schema keeps its known keywords and loses unknown ones and nulls', () => {
  const json = {
    type: 'object',
    zz: 1,
    default: null,
    properties: { a: { type: 'string', maxLength: 3n, 'x-unknown': {} } },
  }
  assert.deepEqual(parseJsonSchema(json, 's'), {
    schema: { type: 'object', properties: { a: { type: 'string', maxLength: 3 } } },
    errors: [],
  })
})

for (const { name, json, path } of [
  { name: 'a number as type', json: { type: 5 }, path: 's.type' },
  { name: 'a list of properties', json: { properties: [] }, path: 's.properties' },
  { name: 'a string as property', json: { properties: { a: 'x' } }, path: 's.properties[a]' },
  { name: 'required fields that are no list', json: { required: 'x' }, path: 's.required' },
  { name: 'required fields that are no strings', json: { required: [1] }, path: 's.required' },
  { name: 'items in a list', json: { items: [{}] }, path: 's.items' },
  { name: 'a branch that is no schema', json: { anyOf: [1] }, path: 's.anyOf[0]' },
])
  test(`a schema with ${name} is refused`, () => {
    assert.deepEqual(
      parseJsonSchema(json, 's').errors.map((error) => error.path),
      [path],
    )
  })
