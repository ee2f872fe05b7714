import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Condition } from '@orrery/api'
import type { State } from './assess.ts'
import { assess, rankOf } from './assess.ts'
import { readItem } from './item.ts'
import { allWell, condition } from './world.test-support.ts'

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

interface Case {
  readonly name: string
  readonly want: State
  readonly conditions: readonly Condition[]
  readonly generation?: number
  readonly deleting?: boolean
  readonly status?: Readonly<Record<string, unknown>>
}

const ready = condition('Ready', 'True', 'Available')
const synced = condition('Synced', 'True', 'ReconcileSuccess')

const cases: readonly Case[] = [
  { name: 'with which all is well', want: 'ready', conditions: allWell },
  { name: 'of a kind with nothing but Ready', want: 'ready', conditions: [ready] },
  { name: 'that nobody has looked at', want: 'pending', conditions: [] },
  { name: 'with a newer generation', want: 'pending', conditions: allWell, generation: 2 },
  { name: 'whose call failed', want: 'failed', conditions: [ready, condition('Synced', 'False', 'Unreachable')] },
  { name: 'whose probe fails', want: 'failed', conditions: [condition('Ready', 'False', 'LoginFailed'), synced] },
  {
    name: 'that waits',
    want: 'waiting',
    conditions: [condition('Ready', 'False', 'Waiting'), condition('Synced', 'Unknown', 'Waiting')],
  },
  {
    name: 'whose external thing has vanished',
    want: 'lost',
    conditions: [condition('Ready', 'False', 'ExternalMissing'), condition('UpToDate', 'False', 'ExternalMissing')],
  },
  {
    name: 'whose outcome is unknown',
    want: 'unknown',
    conditions: [condition('Ready', 'Unknown', 'OutcomeUnknown'), condition('Synced', 'Unknown', 'OutcomeUnknown')],
  },
  {
    name: 'whose change is refused',
    want: 'denied',
    conditions: [
      ready,
      condition('Synced', 'False', 'ReplaceRefused'),
      condition('UpToDate', 'False', 'ReplaceRefused'),
    ],
  },
  {
    name: 'whose deletion is refused',
    want: 'denied',
    deleting: true,
    conditions: [ready, condition('Synced', 'False', 'NotEmpty'), condition('UpToDate', 'False', 'NotEmpty')],
  },
  { name: 'that is being deleted', want: 'deleting', deleting: true, conditions: allWell },
  {
    name: 'that drifted and is left so',
    want: 'drifted',
    conditions: [ready, synced, condition('UpToDate', 'False', 'DriftReported')],
    status: { drift: [{ path: 'owner', desired: 'a', actual: 'b', since: '2026-01-02T03:04:05Z' }] },
  },
  {
    name: 'whose change its policies do not allow',
    want: 'held',
    conditions: [ready, synced, condition('UpToDate', 'False', 'ManagementPolicy')],
  },
  { name: 'that is paused', want: 'paused', conditions: [ready, condition('Synced', 'False', 'ReconcilePaused')] },
]

for (const { name, want, conditions, generation = 1, deleting = false, status = {} } of cases) {
  test(`an object ${name} is ${want}`, () => {
    const object = {
      apiVersion: 'library.orrery.dev/v1alpha1',
      kind: 'Shelf',
      metadata: {
        name: 'a',
        namespace: 'b',
        generation,
        ...(deleting ? { deletionTimestamp: '2026-01-02T03:04:05Z' } : {}),
      },
      status: { ...status, conditions },
    }
    assert.equal(assess(readItem(resource, object)).state, want)
  })
}

test('whatever a status holds, it is read without an error', () => {
  for (const status of [
    null,
    3,
    [],
    { conditions: {} },
    { conditions: [null, 7, { type: 'Ready' }], drift: 'x', plan: [] },
  ]) {
    const object = { apiVersion: 'v1', kind: 'Shelf', metadata: { name: 'a' }, spec: 'odd', status }
    assert.equal(assess(readItem(resource, object)).state, 'pending')
  }
})

test("a kind that is not a provider's is well when it is there", () => {
  const { categories: _categories, ...plain } = resource
  const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } }
  assert.equal(assess(readItem(plain, object)).state, 'ready')
})

test('trouble ranks before what only waits, and that before what is ready', () => {
  assert.ok(rankOf('failed') < rankOf('waiting'))
  assert.ok(rankOf('waiting') < rankOf('ready'))
})
