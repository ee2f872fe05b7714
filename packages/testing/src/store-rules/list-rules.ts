import assert from 'node:assert/strict'
import { revision } from '@orrery/hub/store'
import { digestOf, replay } from '../watch-checks.ts'
import { watchedEvent } from '../worlds/store-watchers.ts'
import { hasKind, put, type Rule, scramble, take, text } from './rule.ts'

/** What a store promises of lists and compaction. */
export const listRules: readonly Rule[] = [
  {
    name: 'a list is ordered bytewise and holds its prefix only',
    body: async (store) => {
      const keys = [
        '/a/b',
        '/a/',
        '/a/b/c',
        '/a/~',
        '/a/B',
        '/ab',
        '/b',
        '/a/é',
        '/a/\u{1f600}',
        '/a/\ufb01',
        '/a/b-1',
        '/a/b.1',
      ]
      for (const key of keys) await put(store, key, key)
      const { items, more } = await store.list({ prefix: '/a/' })
      const wanted = keys
        .filter((key) => key.startsWith('/a/'))
        .sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
      assert.deepEqual(
        items.map((item) => item.key),
        wanted,
      )
      assert.equal(more, false)
      assert.equal((await store.list({ prefix: '' })).items.length, keys.length)
      assert.deepEqual((await store.list({ prefix: '/none/' })).items, [])
    },
  },
  {
    name: 'pages cover a list exactly, each key once, whatever their size',
    body: async (store) => {
      for (let i = 0; i < 25; i++) await put(store, `/p/${String(i).padStart(2, '0')}`, String(i))
      for (const limit of [1, 2, 7, 24, 25, 26]) {
        const seen: string[] = []
        for (let after = ''; ; ) {
          const page = await store.list({ prefix: '/p/', limit, ...(after === '' ? {} : { after }) })
          seen.push(...page.items.map((item) => item.key))
          after = seen.at(-1) ?? ''
          if (!page.more) break
          assert.equal(page.items.length, limit)
        }
        assert.equal(seen.length, 25)
        assert.equal(new Set(seen).size, 25)
      }
    },
  },
  {
    name: 'a list at a revision shows exactly the state after it, deleted keys and old values included',
    body: async (store) => {
      const history = await scramble(store, 80)
      for (let at = 0; at <= 80; at += 5) {
        const { items, revision: read } = await store.list({ prefix: '', at: revision(at) })
        assert.equal(read, at)
        const state = new Map(items.map((item) => [item.key, text(item.value)]))
        assert.equal(digestOf(state), digestOf(replay(history, at)))
        const page = await store.list({ prefix: '', at: revision(at), limit: 3 })
        assert.deepEqual(page.items, items.slice(0, 3))
        assert.equal(page.more, items.length > 3)
      }
    },
  },
  {
    name: 'a revision that is not there yet is refused as future',
    body: async (store) => {
      await put(store, '/a', '1')
      await assert.rejects(store.list({ prefix: '', at: revision(2) }), hasKind('future'))
      await assert.rejects(store.compact(revision(2)), hasKind('future'))
    },
  },
  {
    name: 'compaction keeps the state at its revision and everything after, and forgets what was before',
    body: async (store) => {
      const history = await scramble(store, 80)
      await store.compact(revision(50))
      assert.equal(await store.compactedRevision(), 50)
      await assert.rejects(store.list({ prefix: '', at: revision(49) }), hasKind('compacted'))
      for (const at of [50, 51, 65, 80]) {
        const { items } = await store.list({ prefix: '', at: revision(at) })
        assert.equal(
          digestOf(new Map(items.map((item) => [item.key, text(item.value)]))),
          digestOf(replay(history, at)),
        )
      }
      const after = await take(store, { prefix: '', after: revision(50) }, 30)
      assert.deepEqual(after.map(watchedEvent), history.slice(50))
    },
  },
  {
    name: 'compaction can be repeated and never goes back',
    body: async (store) => {
      await scramble(store, 40)
      for (const to of [10, 10, 5, 40, 0, 40]) await store.compact(revision(to))
      assert.equal(await store.compactedRevision(), 40)
      assert.equal(await store.revision(), 40)
      assert.equal(await put(store, '/after', '1'), 41)
    },
  },
]
