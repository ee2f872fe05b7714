import assert from 'node:assert/strict'
import { revision } from '@orrery/hub/store'
import { digestOf, replay } from '../watch-checks.ts'
import { watchedEvent } from '../worlds/store-watchers.ts'
import { bytes, hasKind, none, put, type Rule, remove, scramble, take, text } from './rule.ts'

/** What a store promises of being closed and opened again. */
export const lifeRules: readonly Rule[] = [
  {
    name: 'everything acknowledged is there after a reopen: id, revisions, history, state',
    body: async (store, { reopen }) => {
      const history = await scramble(store, 50)
      await store.compact(revision(20))
      const again = await reopen(store)
      try {
        assert.equal(again.id, store.id)
        assert.equal(await again.revision(), 50)
        assert.equal(await again.compactedRevision(), 20)
        const { items } = await again.list({ prefix: '' })
        assert.equal(
          digestOf(new Map(items.map((item) => [item.key, text(item.value)]))),
          digestOf(replay(history, 50)),
        )
        const events = await take(again, { prefix: '', after: revision(20) }, 30)
        assert.deepEqual(events.map(watchedEvent), history.slice(20))
        assert.equal(await put(again, '/next', '1'), 51)
      } finally {
        await again[Symbol.asyncDispose]()
      }
    },
  },
  {
    name: 'a revision is never given out twice, even when its key was deleted and compacted',
    body: async (store, { reopen }) => {
      const first = await put(store, '/a', '1')
      const gone = await remove(store, '/a', first)
      await store.compact(gone)
      const again = await reopen(store)
      try {
        assert.equal(await again.revision(), gone)
        assert.equal(await put(again, '/a', '2'), gone + 1)
      } finally {
        await again[Symbol.asyncDispose]()
      }
    },
  },
  {
    name: 'a closed store answers nothing, ends its watches, and can be closed again',
    body: async (store) => {
      const ended = take(store, { prefix: '', after: none }, 1)
      const waiting = assert.rejects(ended, hasKind('closed'))
      await store[Symbol.asyncDispose]()
      await waiting
      await assert.rejects(store.get('/a'), hasKind('closed'))
      await assert.rejects(store.write({ key: '/a', expected: none, value: bytes('1') }), hasKind('closed'))
      await store[Symbol.asyncDispose]()
    },
  },
  {
    name: 'a store knows how large it is',
    body: async (store) => {
      const before = await store.size()
      for (let i = 0; i < 20; i++) await put(store, `/${i}`, 'x'.repeat(10_000))
      assert.ok((await store.size()) > before)
    },
  },
]
