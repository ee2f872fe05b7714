import assert from 'node:assert/strict'
import test from 'node:test'
import { checkDnsSubdomain } from './names.ts'
import { checkObjectMeta, finalizerWarnings } from './object-meta.ts'

const options = { namespaced: true, customResource: false, checkName: checkDnsSubdomain }
const owner = { apiVersion: 'v1', kind: 'A', name: 'a', uid: '1' }
const entries = (metadata: Record<string, unknown>, custom = false) =>
  checkObjectMeta({ name: 'a', namespace: 'n', ...metadata }, { ...options, customResource: custom }).map(
    ({ path, message }) => `${path}: ${message}`,
  )

// Messages recorded from kube-apiserver 1.35.4.
for (const { name, metadata, want } of [
  {
    name: 'no name at all',
    metadata: { name: '' },
    want: ['metadata.name: Required value: name or generateName is required'],
  },
  {
    name: 'a namespaced object without namespace',
    metadata: { namespace: '' },
    want: ['metadata.namespace: Required value'],
  },
  {
    name: 'annotations over 256 KiB',
    metadata: { annotations: { a: 'b'.repeat(262144) } },
    want: ['metadata.annotations: Too long: may not be more than 262144 bytes'],
  },
  {
    name: 'an owner without uid',
    metadata: { ownerReferences: [{ ...owner, uid: undefined }] },
    want: ['metadata.ownerReferences.uid: Invalid value: "": must not be empty'],
  },
  {
    name: 'an Event as owner',
    metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'a', uid: '1' }] },
    want: [
      'metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"a","uid":"1"}: /v1, Kind=Event is disallowed from being an owner',
    ],
  },
  {
    name: 'two controllers',
    metadata: {
      ownerReferences: [
        { ...owner, controller: true },
        { ...owner, name: 'b', uid: '2', controller: true },
      ],
    },
    want: [
      'metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"A","name":"a","uid":"1","controller":true},{"apiVersion":"v1","kind":"A","name":"b","uid":"2","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for A/a and A/b',
    ],
  },
  {
    name: 'an unqualified finalizer on a built-in kind',
    metadata: { finalizers: ['foo'] },
    want: [
      'metadata.finalizers[0]: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified',
    ],
  },
  {
    name: 'both propagation finalizers',
    metadata: { finalizers: ['orphan', 'foregroundDeletion'] },
    want: [
      'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
    ],
  },
  {
    name: 'a long manager',
    metadata: { managedFields: [{ manager: 'm'.repeat(129) }] },
    want: ['metadata.managedFields[0].manager: Too long: may not be more than 128 bytes'],
  },
])
  test(`metadata with ${name} is refused`, () => assert.deepEqual(entries(metadata), want))

for (const { name, metadata } of [
  { name: 'generateName that ends in a dash', metadata: { name: '', generateName: 'f-' } },
  { name: 'a qualified finalizer', metadata: { finalizers: ['x.io/a'] } },
  { name: 'upper-case annotation keys', metadata: { annotations: { 'X.io/A': 'v' } } },
])
  test(`metadata with ${name} is accepted`, () => {
    const errors = entries(metadata).filter((entry) => !entry.startsWith('metadata.name: Required'))
    assert.deepEqual(errors, [])
  })

test('an unqualified finalizer on a custom resource is a warning', () => {
  assert.deepEqual(entries({ finalizers: ['foo'] }, true), [])
  assert.deepEqual(finalizerWarnings({ finalizers: ['foo', 'x.io/a', 'orphan'] }), [
    'metadata.finalizers: "foo": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers',
  ])
})
