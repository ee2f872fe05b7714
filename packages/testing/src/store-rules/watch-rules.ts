import assert from 'node:assert/strict'
import { revision } from '@orrery/hub/store'
import { type WatchedEvent } from '../watch-checks.ts'
import { watchedEvent } from '../worlds/store-watchers.ts'
import { hasKind, none, put, type Rule, scramble, take } from './rule.ts'

/** What a store promises of watches. */
export const watchRules: readonly Rule[] = [
  {
    name: 'a watch delivers every change after its start, with the previous state',
    body: async (store) => {
      const history = await scramble(store, 60)
      for (const after of [0, 1, 30, 59]) {
        const events = await take(store, { prefix: '', after: revision(after) }, 60 - after)
        assert.deepEqual(events.map(watchedEvent), history.slice(after))
      }
    },
  },
  {
    name: 'a change written right after the call is delivered, even before the first pull',
    body: async (store) => {
      const stop = new AbortController()
      const watch = store.watch({ prefix: '/w/', after: none, signal: stop.signal })
      await put(store, '/w/1', '1')
      await put(store, '/x', 'not watched')
      await put(store, '/w/2', '2')
      const keys: string[] = []
      for await (const batch of watch) {
        keys.push(...batch.map((event) => watchedEvent(event).key))
        if (keys.length >= 2) stop.abort()
      }
      assert.deepEqual(keys, ['/w/1', '/w/2'])
    },
  },
  {
    name: 'a watch may start in the future and then delivers only what is later',
    body: async (store) => {
      const stop = new AbortController()
      const watch = store.watch({ prefix: '', after: revision(3), signal: stop.signal })
      const collected = (async () => {
        const seen: number[] = []
        for await (const batch of watch) {
          seen.push(...batch.map((event) => event.revision))
          if (seen.length >= 2) stop.abort()
        }
        return seen
      })()
      for (let i = 1; i <= 5; i++) await put(store, `/${i}`, String(i))
      assert.deepEqual(await collected, [4, 5])
    },
  },
  {
    name: 'a watch ends without an error when its signal aborts, before or while it waits',
    body: async (store) => {
      const stop = new AbortController()
      const waiting = (async () => {
        for await (const batch of store.watch({ prefix: '', after: none, signal: stop.signal }))
          assert.fail(`${batch.length}`)
      })()
      await store.revision()
      stop.abort()
      await waiting
      for await (const batch of store.watch({ prefix: '', after: none, signal: AbortSignal.abort() }))
        assert.fail(`${batch.length}`)
    },
  },
  {
    name: 'a watch of compacted history is refused as compacted',
    body: async (store) => {
      await scramble(store, 20)
      await store.compact(revision(10))
      await assert.rejects(take(store, { prefix: '', after: revision(9) }, 1), hasKind('compacted'))
      assert.equal((await take(store, { prefix: '', after: revision(10) }, 10)).length, 10)
    },
  },
  {
    name: 'compaction never tears a watch that already follows',
    body: async (store) => {
      const stop = new AbortController()
      const watch = store.watch({ prefix: '', after: none, signal: stop.signal })
      const collected = (async () => {
        const seen: WatchedEvent[] = []
        for await (const batch of watch) {
          seen.push(...batch.map(watchedEvent))
          if (seen.length >= 100) stop.abort()
        }
        return seen
      })()
      const history: WatchedEvent[] = []
      for (let i = 0; i < 10; i++) {
        history.push(...(await scramble(store, 10, i)))
        await store.compact(await store.revision())
      }
      assert.deepEqual(await collected, history)
    },
  },
  {
    name: 'a slow watcher is ended, never the others',
    body: async (store, { watcherItems }) => {
      if (watcherItems === undefined) return
      const stop = new AbortController()
      const slow = store.watch({ prefix: '', after: none, signal: stop.signal })[Symbol.asyncIterator]()
      const count = watcherItems * 2
      const quick = take(store, { prefix: '', after: none }, count)
      for (let i = 0; i < count; i++) await put(store, `/${i}`, String(i))
      assert.equal((await quick).length, count)
      await assert.rejects(async () => {
        for (let i = 0; i < count; i++) await slow.next()
      }, hasKind('slow-watcher'))
      stop.abort()
    },
  },
]
