import assert from 'node:assert/strict'
import { revision } from '@orrery/hub/store'
import { contendForKeys } from './contention.ts'
import { bytes, none, put, type Rule, remove, text } from './rule.ts'

/** What a store promises of writes. */
export const writeRules: readonly Rule[] = [
  {
    name: 'each successful write gets the next revision, a refused one none',
    body: async (store) => {
      assert.equal(await store.revision(), 0)
      assert.equal(await put(store, '/a', '1'), 1)
      assert.equal((await store.write({ key: '/a', expected: none, value: bytes('2') })).state, 'conflict')
      assert.equal(await put(store, '/b', '1'), 2)
      assert.equal(await store.revision(), 2)
    },
  },
  {
    name: 'a write that expects another version is refused and told the current one',
    body: async (store) => {
      const first = await put(store, '/a', '1')
      const second = await put(store, '/a', '2', first)
      for (const expected of [none, first, revision(99)]) {
        const outcome = await store.write({ key: '/a', expected, value: bytes('3') })
        assert.ok(outcome.state === 'conflict' && outcome.current !== undefined)
        assert.equal(outcome.current.modRevision, second)
        assert.equal(text(outcome.current.value), '2')
      }
    },
  },
  {
    name: 'an update or a delete of what is not there is refused, and says so',
    body: async (store) => {
      assert.deepEqual(await store.write({ key: '/a', expected: revision(1), value: bytes('1') }), {
        state: 'conflict',
      })
      assert.deepEqual(await store.write({ key: '/a', expected: revision(1) }), { state: 'conflict' })
      await assert.rejects(store.write({ key: '/a', expected: none }), RangeError)
    },
  },
  {
    name: 'a write returns the version that it replaced',
    body: async (store) => {
      const first = await put(store, '/a', '1')
      const update = await store.write({ key: '/a', expected: first, value: bytes('2') })
      assert.ok(update.state === 'written' && update.previous !== undefined)
      assert.equal(text(update.previous.value), '1')
      assert.equal(update.previous.modRevision, first)
      const deletion = await store.write({ key: '/a', expected: update.revision })
      assert.ok(deletion.state === 'written' && deletion.previous !== undefined)
      assert.equal(text(deletion.previous.value), '2')
    },
  },
  {
    name: 'a key keeps its create revision until it is deleted, and then begins anew',
    body: async (store) => {
      const first = await put(store, '/a', '1')
      const second = await put(store, '/a', '2', first)
      assert.equal((await store.get('/a'))?.createRevision, first)
      const gone = await remove(store, '/a', second)
      assert.equal(await store.get('/a'), undefined)
      const again = await put(store, '/a', '3')
      assert.equal(again, gone + 1)
      const found = await store.get('/a')
      assert.equal(found?.createRevision, again)
      assert.equal(found?.modRevision, again)
    },
  },
  {
    name: 'values of every size and byte come back as they were',
    body: async (store) => {
      for (const size of [0, 1, 255, 16_384, 1_600_000]) {
        const value = Uint8Array.from({ length: size }, (_, index) => (index * 7) & 0xff)
        const outcome = await store.write({ key: `/size/${size}`, expected: none, value })
        assert.equal(outcome.state, 'written')
        const found = await store.get(`/size/${size}`)
        assert.ok(found !== undefined && Buffer.from(found.value).equals(value))
      }
    },
  },
  {
    name: 'of writers that expect the same version exactly one wins',
    body: async (store) => {
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.write({ key: '/a', expected: none, value: bytes(String(i)) })),
      )
      const winners = outcomes.filter((outcome) => outcome.state === 'written')
      assert.equal(winners.length, 1)
      assert.equal(await store.revision(), 1)
    },
  },
  { name: 'ten contended keys are linearizable, and watches of them keep all nine promises', body: contendForKeys },
]
