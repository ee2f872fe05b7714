import assert from 'node:assert/strict'
import test from 'node:test'
import {
  checkConfigKey,
  checkDns1035Label,
  checkDnsLabel,
  checkDnsSubdomain,
  checkLabelValue,
  checkPathSegment,
  checkQualifiedName,
} from './names.ts'

for (const { check, good, bad } of [
  {
    check: checkDnsSubdomain,
    good: ['a', 'a.b', 'a-b.c', 'a'.repeat(253)],
    bad: ['', 'Foo_Bar', '-a', 'a..b', '😀', 'a\n', 'a/b', 'аdmin', '.', 'a'.repeat(254)],
  },
  { check: checkDnsLabel, good: ['a', 'a-b', 'a'.repeat(63)], bad: ['', 'a.b', 'A', 'a-', 'a'.repeat(64)] },
  { check: checkDns1035Label, good: ['a', 'v1beta1'], bad: ['1a', '', 'a'.repeat(64)] },
  {
    check: checkQualifiedName,
    good: ['a', 'x.io/A_b.c', 'constructor'],
    bad: ['', '/x', 'x/', 'a/b/c', '__proto__', 'a b', 'a'.repeat(64)],
  },
  { check: checkLabelValue, good: ['', 'A_b.c-1'], bad: ['!!', '-a', 'a'.repeat(64)] },
  { check: checkConfigKey, good: ['a', 'A_b.c', '__proto__'], bad: ['', '.', '..', '..a', 'a/b', 'a'.repeat(254)] },
  { check: checkPathSegment, good: ['system:node', 'A b'], bad: ['.', '..', 'a/b', 'a%b'] },
]) {
  for (const name of good)
    test(`${check.name} accepts ${JSON.stringify(name.slice(0, 20))} (${name.length})`, () =>
      assert.deepEqual(check(name), []))
  for (const name of bad)
    test(`${check.name} refuses ${JSON.stringify(name.slice(0, 20))} (${name.length})`, () =>
      assert.notDeepEqual(check(name), []))
}

// Recorded from kube-apiserver 1.35.4.
test('the texts are those of Kubernetes', () => {
  assert.deepEqual(checkDnsLabel('a.b'), ['must not contain dots'])
  assert.deepEqual(checkLabelValue('b'.repeat(64)), ['must be no more than 63 bytes'])
  assert.deepEqual(checkQualifiedName('/x'), ['prefix part must be non-empty'])
  assert.deepEqual(checkQualifiedName('a b'), [
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
  ])
  assert.deepEqual(checkDnsSubdomain('A_b'), [
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ])
})
