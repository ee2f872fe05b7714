import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SeededRandom, storeSuite } from '@orrery/testing'
import { KeyFileError, openKeyFile } from '../node/key-file.ts'
import { encryptedStore } from './encrypted-store.ts'
import type { EncryptionKey, Keyring } from './envelope.ts'
import { openMemoryStore } from './memory-store.ts'
import { revision, type Store, StoreError } from './store.ts'

const random = new SeededRandom(7)
const newKey = (id: string): EncryptionKey => ({ id, key: random.bytes(32) })
const keyring: Keyring = [newKey('one')]
const limits = { watcher: { maxItems: 20, maxBytes: 1_000_000 } }
const encrypt = (store: Store, keys: Keyring = keyring, prefixes: readonly string[] = ['/core/secrets/']) =>
  encryptedStore(store, { keyring: keys, prefixes, random })

const openPlain = () => openMemoryStore({ random, limits })
const inner = new WeakMap<Store, Store>()

storeSuite('the encrypted store', {
  watcherItems: 20,
  open: async () => {
    const store = await openPlain()
    const encrypted = encrypt(store, keyring, [''])
    inner.set(encrypted, store)
    return encrypted
  },
  reopen: async (store) => {
    // The memory store without a disk forgets when it closes; another decorator over it is what reopens here.
    const plain = inner.get(store)
    assert.ok(plain !== undefined)
    return encrypt(plain, keyring, [''])
  },
})

const hasKind = (kind: StoreError['kind']) => (error: unknown) => error instanceof StoreError && error.kind === kind
const put = (store: Store, key: string, value: string | Uint8Array) =>
  store.write({ key, expected: revision(0), value: Buffer.from(value) })

test('chosen values are stored encrypted, others as they are, and equal values differ', async () => {
  await using plain = await openPlain()
  const store = encrypt(plain)
  for (const key of ['/core/secrets/a', '/core/secrets/b', '/core/configmaps/a']) await put(store, key, 'p4ssw0rd')
  const stored = async (key: string) => Buffer.from((await plain.get(key))?.value ?? []).toString('latin1')
  assert.ok(!(await stored('/core/secrets/a')).includes('p4ssw0rd'))
  assert.notEqual(await stored('/core/secrets/a'), await stored('/core/secrets/b'))
  assert.equal(await stored('/core/configmaps/a'), 'p4ssw0rd')
  assert.equal(Buffer.from((await store.get('/core/secrets/a'))?.value ?? []).toString(), 'p4ssw0rd')
})

test('a value moved to another key, changed in any byte, or of an unknown key is corrupt, named, and deletable', async () => {
  await using plain = await openPlain()
  const store = encrypt(plain)
  await put(store, '/core/secrets/a', 'x')
  const envelope = (await plain.get('/core/secrets/a'))?.value ?? new Uint8Array()
  await put(plain, '/core/secrets/moved', envelope)
  for (const at of [25, envelope.byteLength - 1, envelope.byteLength - 20]) {
    const changed = Uint8Array.from(envelope)
    changed[at] = (changed[at] ?? 0) ^ 1
    await put(plain, `/core/secrets/changed-${at}`, changed)
  }
  await put(plain, '/core/secrets/short', envelope.subarray(0, 30))
  await put(encrypt(plain, [newKey('other')]), '/core/secrets/unknown', 'x')
  const { items } = await store.list({ prefix: '/core/secrets/' })
  assert.deepEqual(
    items.filter((item) => item.unreadable === undefined).map((item) => item.key),
    ['/core/secrets/a'],
  )
  for (const item of items.filter(({ unreadable }) => unreadable !== undefined)) {
    await assert.rejects(
      store.get(item.key),
      (error) => hasKind('corrupt')(error) && error instanceof StoreError && error.key === item.key,
    )
    assert.equal((await store.write({ key: item.key, expected: item.modRevision })).state, 'written')
  }
})

test('after a rotation old values stay readable, new ones use the new key, plain ones are still read', async () => {
  await using plain = await openPlain()
  await put(plain, '/core/secrets/plain', 'before encryption')
  await put(encrypt(plain), '/core/secrets/old', 'old')
  const rotated = encrypt(plain, [newKey('two'), ...keyring])
  await put(rotated, '/core/secrets/new', 'new')
  const read = async (store: Store, key: string) => Buffer.from((await store.get(key))?.value ?? []).toString()
  assert.equal(await read(rotated, '/core/secrets/plain'), 'before encryption')
  assert.equal(await read(rotated, '/core/secrets/old'), 'old')
  assert.equal(await read(rotated, '/core/secrets/new'), 'new')
  await assert.rejects(read(encrypt(plain), '/core/secrets/new'), hasKind('corrupt'))
})

const directory = mkdtempSync(join(tmpdir(), 'orrery-keys-'))
after(() => rmSync(directory, { recursive: true }))

test('a key file is made once, for its owner alone, and read again', () => {
  const path = join(directory, 'keys.json')
  const made = openKeyFile(path)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(made[0].key.byteLength, 32)
  assert.deepEqual(openKeyFile(path), made)
})

for (const mode of [0o640, 0o604, 0o660, 0o606, 0o644]) {
  test(`a key file of mode ${mode.toString(8)} is refused`, () => {
    const path = join(directory, `keys-${mode}.json`)
    openKeyFile(path)
    chmodSync(path, mode)
    assert.throws(() => openKeyFile(path), KeyFileError)
  })
}

for (const content of [
  '',
  '{',
  '{}',
  '{"keys":[]}',
  '{"keys":[{"id":"a","key":"c2hvcnQ="}]}',
  '{"keys":[{"id":1,"key":"x"}]}',
]) {
  test(`a damaged key file is refused without its content in the error: ${content}`, () => {
    const path = join(directory, 'damaged.json')
    writeFileSync(path, content, { mode: 0o600 })
    assert.throws(
      () => openKeyFile(path),
      (error) => error instanceof KeyFileError && (content.length < 5 || !error.message.includes(content)),
    )
    rmSync(path)
  })
}
