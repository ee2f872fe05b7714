import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExternalError } from '@orrery/provider'
import fc from 'fast-check'
import { inDatabase, nameInDatabase } from './in-database.ts'

const part = fc
  .string({ unit: fc.constantFrom('/', 'a', '"', ' ', 'ü'), minLength: 1 })
  .filter((text) => !text.startsWith('/') && !text.endsWith('/'))

test('database and name come back from the external name, whatever slashes are in them', () => {
  fc.assert(
    fc.property(part, part, (database, name) => {
      assert.deepEqual(inDatabase(nameInDatabase(database, name)), { database, name })
    }),
  )
})

for (const name of ['', 'plain', 'a//b', 'a/b/c']) {
  test(`an external name that is no <database>/<name> is refused: ${name}`, () => {
    assert.throws(() => inDatabase(name), ExternalError)
  })
}
