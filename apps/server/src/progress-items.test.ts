import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Kind } from '@orrery/api'
import type { Item } from './progress-items.ts'
import { itemOf, layout } from './progress-items.ts'

const item = (id: string, parent?: string): Item => {
  const [kind = '', name = ''] = id.split('/')
  return { kind, name, parent, state: 'working', text: '' }
}

for (const { name, items, want } of [
  { name: 'nothing', items: [], want: [] },
  {
    name: 'what is reached through something hangs below it',
    items: [
      item('Role/app', 'ProviderConfig/pg'),
      item('ProviderConfig/pg', 'Instance/pg'),
      item('Instance/pg'),
      item('Database/app', 'ProviderConfig/pg'),
    ],
    want: ['└─ Instance/pg', '   └─ ProviderConfig/pg', '      ├─ Database/app', '      └─ Role/app'],
  },
  {
    name: 'what refers to nothing shown is a root',
    items: [item('Role/a', 'ProviderConfig/other'), item('Instance/b')],
    want: ['├─ Instance/b', '└─ Role/a'],
  },
  { name: 'what refers to itself is shown once', items: [item('Instance/a', 'Instance/a')], want: ['└─ Instance/a'] },
]) {
  test(`the tree: ${name}`, () => {
    assert.deepEqual(
      layout(items).map((line) => `${line.prefix}${line.item.kind}/${line.item.name}`),
      want,
    )
  })
}

const kind: Kind = {
  group: 'x.orrery.dev',
  version: 'v1alpha1',
  kind: 'Database',
  plural: 'databases',
  singular: 'database',
  namespaced: true,
}
const object = (conditions: readonly object[], metadata: object = {}) => ({
  apiVersion: 'x.orrery.dev/v1alpha1',
  kind: 'Database',
  metadata: { name: 'app', ...metadata },
  spec: { providerConfigRef: { name: 'pg' } },
  status: { conditions },
})

for (const { name, from, want } of [
  { name: 'without conditions it is accepted', from: object([]), want: { state: 'working', text: 'accepted' } },
  {
    name: 'Ready wins over the rest',
    from: object([{ type: 'Ready', status: 'True', reason: 'Available', message: '' }]),
    want: { state: 'ready', text: 'Ready' },
  },
  {
    name: 'a failed call is told before readiness',
    from: object([
      { type: 'Ready', status: 'False', reason: 'Waiting', message: 'for x' },
      { type: 'Synced', status: 'False', reason: 'PermissionDenied', message: 'no' },
    ]),
    want: { state: 'failed', text: 'PermissionDenied: no' },
  },
  {
    name: 'deletion is told first',
    from: object([{ type: 'Ready', status: 'True', reason: 'Available', message: '' }], { deletionTimestamp: 'x' }),
    want: { state: 'working', text: 'being deleted' },
  },
] as const) {
  test(`an item of progress: ${name}`, () => {
    const { state, text, parent } = itemOf(kind, from)
    assert.deepEqual({ state, text }, want)
    assert.equal(parent, 'ProviderConfig/pg')
  })
}
