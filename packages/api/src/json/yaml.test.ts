import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { equalJson, JsonError } from './json.ts'
import { parseJson } from './parse.ts'
import { formatYaml, parseYaml, parseYamlDocuments } from './yaml.ts'

// Recorded from kube-apiserver 1.35.4: how it reads YAML bodies.
for (const { text, want } of [
  { text: 'a: y', want: { a: true } },
  { text: 'a: No', want: { a: false } },
  { text: 'on: 1', want: { true: 1 } },
  { text: 'n: 1', want: { false: 1 } },
  { text: 'a: 017', want: { a: 15 } },
  { text: 'a: 0x1f', want: { a: 31 } },
  { text: 'a: 1_000', want: { a: 1000 } },
  { text: 'a: 1e3', want: { a: 1000 } },
  { text: 'a: 2001-01-01', want: { a: '2001-01-01' } },
  { text: 'a: 12:30:45', want: { a: '12:30:45' } },
  { text: 'a: ~', want: { a: null } },
  { text: 'a: "1"', want: { a: '1' } },
  { text: 'a: !!str 1', want: { a: '1' } },
  { text: 'a: 9007199254740993', want: { a: 9007199254740993n } },
  { text: 'a: |\n  x\n  y\n', want: { a: 'x\ny\n' } },
  { text: 'a: 1\n---\nb: 2', want: { a: 1 } },
  { text: '{"a":[1,"x"]}', want: { a: [1, 'x'] } },
  { text: 'b: &b {x: 1}\nc: {<<: *b, z: 2}', want: { b: { x: 1 }, c: { z: 2, x: 1 } } },
  { text: '', want: null },
])
  test(`parseYaml: ${JSON.stringify(text)}`, () => assert.deepEqual(parseYaml(text).value, want))

for (const { name, text } of [
  { name: 'infinity', text: 'a: .inf' },
  { name: 'a custom tag', text: 'a: !foo 1' },
  { name: 'an unknown alias', text: 'a: *x' },
  { name: 'an alias to itself', text: 'a: &x [*x]' },
  { name: 'a mapping as a key', text: '{a: 1}: 2' },
  { name: 'bad indentation', text: 'a: 1\n  b: 2' },
  {
    name: 'an alias bomb',
    text: `a0: &a0 [x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join('\n')}`,
  },
])
  test(`parseYaml refuses ${name}`, () => {
    assert.throws(
      () => parseYaml(text),
      (error) => error instanceof JsonError,
    )
  })

for (const { name, text } of [
  { name: 'merge keys', text: 'a: &a {x: 1}\nb: {<<: *a}' },
  { name: 'a second document', text: 'a: 1\n---\nb: 2' },
  { name: 'eleven aliases', text: `a: &a 1\nb: [${'*a,'.repeat(11)}]` },
])
  test(`plain YAML has no ${name}`, () => {
    assert.ok(parseYaml(text))
    assert.throws(
      () => parseYaml(text, { plain: true }),
      (error) => error instanceof JsonError,
    )
  })

test('a duplicate YAML key is reported with its line', () => {
  const parsed = parseYaml('data:\n  k: 1\n  k: 2\n')
  assert.deepEqual(parsed.value, { data: { k: 2 } })
  assert.deepEqual(parsed.duplicates, ['data.k'])
  assert.deepEqual(parsed.duplicateLines, ['line 3: key "k" already set in map'])
})

test('an alias is copied, so that two places never share an object', () => {
  const { value } = parseYaml('a: &x {k: 1}\nb: *x')
  assert.ok(typeof value === 'object' && value !== null && 'a' in value && 'b' in value)
  assert.notEqual(value['a'], value['b'])
})

test('empty documents of a stream are skipped', () => {
  assert.deepEqual(parseYamlDocuments('---\n---\na: 1\n---\n# nothing\n---\nb: 2\n'), [{ a: 1 }, { b: 2 }])
})

test('formatted YAML reads back equal', () => {
  fc.assert(
    fc.property(fc.json(), fc.bigInt(0n, 2n ** 63n - 1n), (text, big) => {
      const source = { json: parseJson(text).value, big }
      assert.ok(equalJson(parseYaml(formatYaml(source)).value, source))
    }),
  )
})

test('multi-line strings are written as blocks', () => {
  assert.equal(formatYaml({ a: 'x\ny\n' }), 'a: |\n  x\n  y\n')
})
