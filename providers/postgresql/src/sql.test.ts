import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExternalError } from '@orrery/provider'
import fc from 'fast-check'
import { commentWithMark, identifier, literal, markOf } from './sql.ts'

for (const { name, want } of [
  { name: 'app', want: '"app"' },
  { name: 'a"b', want: '"a""b"' },
  { name: 'A b;--', want: '"A b;--"' },
]) {
  test(`identifier: ${name}`, () => assert.equal(identifier(name), want))
}

for (const { name, why } of [
  { name: '', why: 'empty' },
  { name: 'a\0b', why: 'NUL' },
  { name: 'a'.repeat(64), why: '64 bytes' },
  { name: '☃'.repeat(22), why: '22 characters of 66 bytes' },
]) {
  test(`a name that would not be kept as it is, is refused: ${why}`, () => {
    assert.throws(() => identifier(name), ExternalError)
  })
}

for (const { text, want } of [
  { text: "it's", want: "'it''s'" },
  { text: 'a\\b', want: " E'a\\\\b'" },
]) {
  test(`literal: ${text}`, () => assert.equal(literal(text), want))
}

const mark = fc.record({ hub: fc.uuid(), uid: fc.uuid() }, { noNullPrototype: true })
const comment = fc.string().filter((text) => text.trimEnd() === text)

test('a mark is found again behind any comment, and replaced by a later one', () => {
  fc.assert(
    fc.property(comment, mark, mark, (text, first, second) => {
      const marked = commentWithMark(commentWithMark(text, first), second)
      assert.deepEqual(markOf(marked), second)
      assert.equal(marked, commentWithMark(text, second))
    }),
  )
})

test('a comment of a person carries no mark', () => {
  for (const text of [null, '', 'Ask Ann', '[orrery hub=1 uid=2]', '[orrery hub=x uid=y] and more']) {
    assert.equal(markOf(text), null)
  }
})
