import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openMemoryStore, revision, type Store } from '@orrery/hub/store'
import { mutants, newMutantMemory } from './mutants.ts'
import { SeededRandom } from './seeded-random.ts'
import { firstBrokenRule } from './store-suite.ts'

/** Verbs by which a store breaks a promise. */
const bugs: readonly { readonly name: string; readonly plant: (store: Store) => Partial<Store> }[] = [
  { name: 'get forgets', plant: () => ({ get: async () => undefined }) },
  { name: 'list ignores limit and revision', plant: (store) => ({ list: ({ prefix }) => store.list({ prefix }) }) },
  {
    name: 'watch ignores the prefix',
    plant: (store) => ({ watch: (request) => store.watch({ ...request, prefix: '' }) }),
  },
  { name: 'compact does nothing', plant: () => ({ compact: async () => undefined }) },
  { name: 'the revision stands still', plant: () => ({ revision: async () => revision(0) }) },
]

const open = () =>
  openMemoryStore({ random: new SeededRandom(1), limits: { watcher: { maxItems: 50, maxBytes: 1e6 } } })

function over(store: Store, verbs: Partial<Store>): Store {
  return {
    id: store.id,
    revision: () => store.revision(),
    compactedRevision: () => store.compactedRevision(),
    get: (key) => store.get(key),
    list: (request) => store.list(request),
    write: (request) => store.write(request),
    watch: (request) => store.watch(request),
    compact: (to) => store.compact(to),
    size: () => store.size(),
    [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose](),
    ...verbs,
  }
}

for (const { name, plant } of bugs) {
  test(`the suite notices a store whose ${name}`, async () => {
    const broken = await firstBrokenRule({
      open: async () => {
        const store = await open()
        return over(store, plant(store))
      },
      reopen: async (store) => store,
    })
    assert.notEqual(broken, undefined)
  })
}

test('the suite notices a store that resumes a watch too early', async () => {
  const mutant = mutants.find((candidate) => candidate.name === 'watch-resumes-at-revision')
  const broken = await firstBrokenRule({
    open: async () => {
      const store = await open()
      return (await mutant?.store?.(store, newMutantMemory())) ?? store
    },
    reopen: async (store) => store,
  })
  assert.ok(broken?.includes('watch'))
})
