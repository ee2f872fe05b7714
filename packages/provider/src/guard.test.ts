import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision } from './decide.ts'
import type { GuardInput } from './guard.ts'
import { guard } from './guard.ts'
import type { ManagedSpec } from './managed.ts'

const immutable = [{ path: 'region', desired: 'a', actual: 'b', immutable: true }]
const changed = [{ path: 'size', desired: 1, actual: 2, immutable: false }]
const update: Decision = { type: 'update', differences: changed }
const replace: Decision = { type: 'replace', differences: immutable }
const remove: Decision = { type: 'delete' }
const create: Decision = { type: 'create' }

const cases: readonly {
  readonly rule: string
  readonly decision: Decision
  readonly spec?: Partial<ManagedSpec>
  readonly with?: Partial<GuardInput>
  readonly want: string
}[] = [
  { rule: 'everything is allowed by *', decision: create, want: 'allowed' },
  {
    rule: 'creation needs Create',
    decision: create,
    spec: { managementPolicies: ['Observe', 'Update'] },
    want: 'held',
  },
  { rule: 'Create alone allows creation', decision: create, spec: { managementPolicies: ['Create'] }, want: 'allowed' },
  { rule: 'a change needs Update', decision: update, spec: { managementPolicies: ['Create', 'Delete'] }, want: 'held' },
  {
    rule: 'what a creation still lacks comes with Create',
    decision: update,
    spec: { managementPolicies: ['Create'] },
    with: { isBeingMade: true },
    want: 'allowed',
  },
  {
    rule: 'and is no way around it',
    decision: update,
    spec: { managementPolicies: ['Delete'] },
    with: { isBeingMade: true },
    want: 'held',
  },
  {
    rule: 'reported drift is not undone',
    decision: update,
    spec: { driftPolicy: 'Report' },
    with: { drifted: true },
    want: 'held',
  },
  { rule: 'a change of the spec is no drift', decision: update, spec: { driftPolicy: 'Report' }, want: 'allowed' },
  {
    rule: 'a replacement needs Create and Delete',
    decision: replace,
    spec: { managementPolicies: ['Create'] },
    want: 'held',
  },
  { rule: 'what holds no data may be replaced', decision: replace, want: 'allowed' },
  { rule: 'what holds data may not', decision: replace, with: { dataBearing: true }, want: 'denied' },
  {
    rule: 'unless its destruction is forced',
    decision: replace,
    spec: { forceDestroy: true },
    with: { dataBearing: true },
    want: 'allowed',
  },
  {
    rule: 'drift that would destroy is only reported where drift is',
    decision: replace,
    spec: { driftPolicy: 'Report', forceDestroy: true },
    with: { drifted: true, dataBearing: true },
    want: 'held',
  },
  { rule: 'what is empty may be deleted', decision: remove, with: { dataBearing: true }, want: 'allowed' },
  {
    rule: 'what is not empty may not',
    decision: remove,
    with: { dataBearing: true, notEmpty: '3 tables' },
    want: 'denied',
  },
  { rule: 'unless it bears no data', decision: remove, with: { notEmpty: '3 members' }, want: 'allowed' },
  {
    rule: 'or its destruction is forced',
    decision: remove,
    spec: { forceDestroy: true },
    with: { dataBearing: true, notEmpty: '3 tables' },
    want: 'allowed',
  },
  {
    rule: 'letting go is always allowed',
    decision: { type: 'forget' },
    spec: { managementPolicies: ['Observe'] },
    want: 'allowed',
  },
]

for (const { rule, decision, spec, with: more, want } of cases) {
  test(`guard: ${rule}`, () => {
    const verdict = guard({
      decision,
      spec: { forProvider: {}, managementPolicies: ['*'], driftPolicy: 'Correct', ...spec },
      drifted: false,
      dataBearing: false,
      notEmpty: undefined,
      ...more,
    })
    assert.equal(verdict.type, want)
  })
}
