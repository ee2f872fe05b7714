import assert from 'node:assert/strict'
import { test } from 'node:test'
import { secrets, silentLogger } from '@orrery/api'
import { createTestHub, SeededRandom, VirtualClock } from '@orrery/testing'
import { credentialSecretName, ensureHashKey, hashSecret, secretReference } from './credentials.ts'

const key = (byte: number) => new Uint8Array(32).fill(byte)

test('the hash of a secret depends on the key, on its use and on the value, and shows none of it', () => {
  const hash = hashSecret(key(1), 'uid/password', 'hunter2')
  assert.equal(hash, hashSecret(key(1), 'uid/password', 'hunter2'))
  const others = [
    hashSecret(key(2), 'uid/password', 'hunter2'),
    hashSecret(key(1), 'other/password', 'hunter2'),
    hashSecret(key(1), 'uid/password', 'hunter3'),
    // The parts must not run into each other.
    hashSecret(key(1), 'uid/passwordhunter2', ''),
  ]
  assert.equal(new Set([hash, ...others]).size, others.length + 1)
  assert.ok(!hash.includes('hunter'))
})

test('the Secret of an object has a name that its kind and its own name make unique, and never one too long', () => {
  const kind = {
    group: 'x.example.com',
    version: 'v1',
    kind: 'Role',
    plural: 'roles',
    singular: 'role',
    namespaced: true,
    shortNames: [],
    categories: [],
  }
  assert.notEqual(
    credentialSecretName({ kind }, 'a'),
    credentialSecretName({ kind: { ...kind, plural: 'users' } }, 'a'),
  )
  const long = credentialSecretName({ kind }, 'a'.repeat(253))
  assert.ok(long.length <= 253)
  assert.notEqual(long, credentialSecretName({ kind }, `${'a'.repeat(252)}b`))
})

for (const { rule, value, want } of [
  { rule: 'a name', value: { name: 'a' }, want: { name: 'a' } },
  { rule: 'a name and a key', value: { name: 'a', key: 'k' }, want: { name: 'a', key: 'k' } },
  { rule: 'a key that is no text', value: { name: 'a', key: 7 }, want: { name: 'a' } },
  { rule: 'no name', value: { key: 'k' }, want: undefined },
  { rule: 'nothing', value: undefined, want: undefined },
  { rule: 'null', value: null, want: undefined },
  { rule: 'text', value: 'a', want: undefined },
]) {
  test(`a reference to a Secret: ${rule}`, () => assert.deepEqual(secretReference(value), want))
}

test('two managers that start together agree on one hash key', async () => {
  const clock = new VirtualClock()
  const random = new SeededRandom(1)
  await using hub = await createTestHub({ clock, random })
  const options = { client: hub.client, random, log: silentLogger, namespace: 'kube-system' }
  const read = async () => Buffer.from(await ensureHashKey(options))
  const [one, two] = await Promise.all([read(), read()])
  assert.deepEqual(one, two)
  assert.deepEqual(await read(), one)
  const stored = await hub.client.get(secrets, { namespace: 'kube-system', name: 'orrery-hash-key' })
  assert.deepEqual(Buffer.from(stored.data?.['key'] ?? '', 'base64'), one)
})
