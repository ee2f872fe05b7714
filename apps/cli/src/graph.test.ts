import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { buildForest, nodesOf, pathTo } from './graph.ts'
import { readItem } from './item.ts'
import { idOf } from './relations.ts'

const resource = (kind: string, group = 'library.orrery.dev') => ({
  group,
  version: 'v1alpha1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  namespaced: true,
  verbs: ['list'],
  subresources: [],
})
const kinds = ['Shelf', 'Book', 'Role'].map((kind) => resource(kind))
const catalogue = {
  resources: { all: [...kinds, resource('Secret', '')], managed: kinds, failures: [] },
  references: new Map(),
}

const names = ['a', 'b', 'c', 'd']
const anyObject = fc.record({
  kind: fc.constantFrom(...kinds),
  name: fc.constantFrom(...names),
  shelfRef: fc.option(fc.record({ name: fc.constantFrom(...names) }), { nil: undefined }),
  roleRef: fc.option(fc.record({ name: fc.constantFrom(...names) }), { nil: undefined }),
  bookRefs: fc.option(fc.array(fc.record({ name: fc.constantFrom(...names) })), { nil: undefined }),
  owner: fc.option(fc.constantFrom(...names), { nil: undefined }),
})

test('however objects refer to each other, a forest shows each of them once', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyObject, { selector: ({ kind, name }) => `${kind.kind}/${name}` }), (objects) => {
      const items = objects.map(({ kind, name, owner, ...forProvider }) =>
        readItem(kind, {
          apiVersion: 'library.orrery.dev/v1alpha1',
          kind: kind.kind,
          metadata: {
            name,
            namespace: 'n',
            uid: `${kind.kind}-${name}`,
            ...(owner === undefined
              ? {}
              : { ownerReferences: [{ apiVersion: 'v1', kind: 'Shelf', name: owner, uid: `Shelf-${owner}` }] }),
          },
          spec: { forProvider },
        } as never),
      )
      const forest = buildForest({ items, secrets: [], isWhole: true }, catalogue)
      const ids = nodesOf(forest).map(({ id }) => id)
      assert.equal(new Set(ids).size, ids.length)
      for (const item of items) assert.ok(pathTo(forest, idOf(item)).length > 0)
    }),
  )
})
