import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assess } from './assess.ts'
import { readItem } from './item.ts'
import { remedyFor } from './remedy.ts'
import { condition } from './world.test-support.ts'

const resource = {
  group: 'library.orrery.dev',
  version: 'v1alpha1',
  kind: 'Shelf',
  plural: 'shelves',
  singular: 'shelf',
  namespaced: true,
  verbs: [],
  categories: ['managed', 'orrery'],
  subresources: [],
}

for (const { reason, isYours } of [
  { reason: 'InvalidCredentials', isYours: true },
  { reason: 'IncompleteConfig', isYours: true },
  { reason: 'Refused', isYours: true },
  { reason: 'AlreadyExists', isYours: true },
  { reason: 'Unreachable', isYours: false },
  { reason: 'TooManyConnections', isYours: false },
]) {
  test(`${reason} is for ${isYours ? 'the reader, and asking again is no advice' : 'time and the other side'}`, () => {
    const conditions = [condition('Ready', 'False', reason), condition('Synced', 'False', reason)]
    const object = {
      apiVersion: 'library.orrery.dev/v1alpha1',
      kind: 'Shelf',
      metadata: { namespace: 'ns', name: 'a', generation: 1 },
      status: { conditions },
    }
    const item = readItem(resource, object)
    const remedy = remedyFor(item, assess(item), { object: 'shelf/a', namespace: 'ns', program: 'orrery' })
    assert.equal(remedy.who === 'you', isYours)
    assert.equal(remedy.next.includes('reconcile-at'), !isYours)
  })
}
