import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DecideInput, Decision, Desired, RecordState } from './decide.ts'
import { decide } from './decide.ts'
import type { Difference } from './difference.ts'
import type { Observation, OwnershipMark } from './kind.ts'

const NOW = Date.parse('2026-01-01T01:00:00Z')
const ours: OwnershipMark = { hub: 'hub', uid: 'uid' }
const theirs: OwnershipMark = { hub: 'hub', uid: 'other' }
const external = { name: 'a', ownership: 'Created', since: '2026-01-01T00:00:00Z' } as const
const justMade = { ...external, since: new Date(NOW - 1_000).toISOString() }
const absent: Observation = { state: 'absent' }
const found = (mark?: OwnershipMark | null): Observation =>
  mark === undefined ? { state: 'present', atProvider: {} } : { state: 'present', atProvider: {}, mark }
const unclear: Observation = { state: 'unknown', reason: 'Elsewhere', message: 'Bound to another host.' }
const changeable: Difference = { path: 'size', desired: 1, actual: 2, immutable: false }
const fixed: Difference = { path: 'region', desired: 'a', actual: 'b', immutable: true }
const waiting = { state: 'waiting', message: 'Role r does not exist.' } as const

interface Case {
  readonly desired?: Partial<Desired>
  readonly record?: Partial<RecordState>
  readonly observation: Observation
  readonly differences?: readonly Difference[]
  readonly dependencies?: DecideInput['dependencies']
  readonly maxReadLagMs?: number
}

function inputOf(given: Case): DecideInput {
  return {
    desired: {
      deleting: false,
      adopt: false,
      observeOnly: false,
      mayDelete: true,
      lossPolicy: 'Recreate',
      ...given.desired,
    },
    record: { external: undefined, settlingUntilMs: {}, unsettled: false, mark: ours, ...given.record },
    observation: given.observation,
    differences: given.differences ?? [],
    dependencies: given.dependencies ?? { state: 'ready' },
    maxReadLagMs: given.maxReadLagMs ?? 0,
    nowMs: NOW,
  }
}

/** The decision's type, with the reason of a wait and the way of an adoption. */
function summary(decision: Decision): string {
  switch (decision.type) {
    case 'wait':
      return `wait ${decision.reason}`
    case 'adopt':
      return `adopt ${decision.how}`
    case 'unknown':
      return `unknown ${decision.reason}`
    case 'create':
    case 'update':
    case 'replace':
    case 'delete':
    case 'forget':
    case 'nothing':
      return decision.type
  }
}

const deleting = { deleting: true }
const cases: readonly (Case & { readonly rule: string; readonly want: string })[] = [
  { rule: 'what is not there is created', observation: absent, want: 'create' },
  {
    rule: 'nothing is created before its dependencies',
    observation: absent,
    dependencies: waiting,
    want: 'wait Waiting',
  },
  {
    rule: 'an observe-only object never creates',
    observation: absent,
    desired: { observeOnly: true },
    want: 'wait NotFound',
  },
  { rule: 'what we made and lost is made anew', observation: absent, record: { external }, want: 'create' },
  {
    rule: 'what holds data and is lost is reported',
    observation: absent,
    record: { external },
    desired: { lossPolicy: 'Report' },
    want: 'wait ExternalMissing',
  },
  {
    rule: 'what was just made may be invisible for a while',
    observation: absent,
    record: { external: justMade },
    maxReadLagMs: 5_000,
    want: 'wait Settling',
  },
  {
    rule: 'also when its loss would only be reported',
    observation: absent,
    record: { external: justMade },
    desired: { lossPolicy: 'Report' },
    maxReadLagMs: 5_000,
    want: 'wait Settling',
  },
  {
    rule: 'nothing is created while a deletion may still arrive',
    observation: absent,
    record: { settlingUntilMs: { delete: NOW + 1 } },
    want: 'wait Settling',
  },
  {
    rule: 'a late update stops nothing',
    observation: absent,
    record: { settlingUntilMs: { update: NOW + 1 } },
    want: 'create',
  },
  { rule: 'what exists without a mark is not ours', observation: found(null), want: 'wait AlreadyExists' },
  { rule: 'nor where there are no marks', observation: found(), want: 'wait AlreadyExists' },
  { rule: 'nor with a mark of somebody else', observation: found(theirs), want: 'wait AlreadyExists' },
  { rule: 'our mark makes it ours', observation: found(ours), want: 'adopt mark' },
  { rule: 'the annotation takes it over', observation: found(), desired: { adopt: true }, want: 'adopt annotation' },
  {
    rule: 'the annotation takes it over from another owner',
    observation: found(theirs),
    desired: { adopt: true },
    want: 'adopt annotation',
  },
  {
    rule: 'an observe-only object takes nothing over',
    observation: found(),
    desired: { observeOnly: true, adopt: true },
    want: 'nothing',
  },
  {
    rule: 'an observe-only object observes whatever its dependencies are',
    observation: found(),
    desired: { observeOnly: true },
    dependencies: waiting,
    want: 'nothing',
  },
  {
    rule: 'what exists is not taken before its dependencies are there',
    observation: found(ours),
    dependencies: waiting,
    want: 'wait Waiting',
  },
  { rule: 'what agrees is left alone', observation: found(ours), record: { external }, want: 'nothing' },
  {
    rule: 'what differs is changed',
    observation: found(ours),
    record: { external },
    differences: [changeable],
    want: 'update',
  },
  {
    rule: 'what cannot be changed in place is replaced',
    observation: found(ours),
    record: { external },
    differences: [changeable, fixed],
    want: 'replace',
  },
  {
    rule: 'what exists is healed while a dependency is away',
    observation: found(ours),
    record: { external },
    differences: [changeable],
    dependencies: waiting,
    want: 'update',
  },
  {
    rule: 'what another took over is left to it',
    observation: found(theirs),
    record: { external },
    differences: [changeable],
    want: 'wait OwnedByAnother',
  },
  {
    rule: 'a mark that vanished is no change of owner',
    observation: found(null),
    record: { external },
    differences: [changeable],
    want: 'update',
  },
  {
    rule: 'deleting removes what we made',
    observation: found(ours),
    desired: deleting,
    record: { external },
    want: 'delete',
  },
  { rule: 'and what carries our mark without a record', observation: found(ours), desired: deleting, want: 'delete' },
  { rule: 'but nothing that is not ours', observation: found(), desired: deleting, want: 'forget' },
  { rule: 'nor what is marked as of another', observation: found(theirs), desired: deleting, want: 'forget' },
  {
    rule: 'nor what another took over',
    observation: found(theirs),
    desired: deleting,
    record: { external },
    want: 'forget',
  },
  {
    rule: 'without the policy Delete it is left alone',
    observation: found(ours),
    desired: { deleting: true, mayDelete: false },
    record: { external },
    want: 'forget',
  },
  {
    rule: 'dependents go first',
    observation: found(ours),
    desired: deleting,
    record: { external },
    dependencies: waiting,
    want: 'wait Waiting',
  },
  { rule: 'absence ends a deletion', observation: absent, desired: deleting, record: { external }, want: 'forget' },
  {
    rule: 'but not while a creation may still arrive',
    observation: absent,
    desired: deleting,
    record: { settlingUntilMs: { create: NOW + 1 } },
    want: 'wait Settling',
  },
  {
    rule: 'nor while what was made may be invisible',
    observation: absent,
    desired: deleting,
    record: { external: justMade },
    maxReadLagMs: 5_000,
    want: 'wait Settling',
  },
  { rule: 'what is not known decides nothing', observation: unclear, record: { external }, want: 'unknown Elsewhere' },
  { rule: 'nor a deletion', observation: unclear, desired: deleting, record: { external }, want: 'unknown Elsewhere' },
  {
    rule: 'an unsettled attempt comes before everything',
    observation: absent,
    desired: deleting,
    record: { unsettled: true },
    want: 'unknown OutcomeUnknown',
  },
]

for (const given of cases) {
  test(`decide: ${given.rule}`, () => assert.equal(summary(decide(inputOf(given))), given.want))
}

test('a wait that time resolves says until when', () => {
  const decision = decide(
    inputOf({
      observation: absent,
      desired: deleting,
      record: { settlingUntilMs: { create: NOW + 7, delete: NOW + 9 } },
    }),
  )
  assert.equal(decision.type === 'wait' && decision.untilMs, NOW + 9)
})

const anyMark = fc.constantFrom<OwnershipMark | null | undefined>(undefined, null, ours, theirs)
const anyInput: fc.Arbitrary<DecideInput> = fc
  .record({
    desired: fc.record({
      deleting: fc.boolean(),
      adopt: fc.boolean(),
      observeOnly: fc.boolean(),
      mayDelete: fc.boolean(),
      lossPolicy: fc.constantFrom('Report' as const, 'Recreate' as const),
    }),
    external: fc.constantFrom(undefined, external, justMade),
    settling: fc.record(
      { create: fc.integer({ min: NOW - 5, max: NOW + 5 }), delete: fc.integer({ min: NOW - 5, max: NOW + 5 }) },
      { requiredKeys: [] },
    ),
    unsettled: fc.boolean(),
    observation: fc.oneof(fc.constant(absent), fc.constant(unclear), anyMark.map(found)),
    differences: fc.constantFrom<readonly Difference[]>([], [changeable], [fixed]),
    dependencies: fc.constantFrom<DecideInput['dependencies']>({ state: 'ready' }, waiting),
    maxReadLagMs: fc.constantFrom(0, 5_000),
  })
  .map(({ external: recorded, settling, unsettled, ...rest }) => ({
    ...rest,
    record: { external: recorded, settlingUntilMs: settling, unsettled, mark: ours },
    nowMs: NOW,
  }))

/** Whether every decision of any input obeys. */
function law(rule: string, holds: (input: DecideInput, decision: Decision) => boolean): void {
  test(`law: ${rule}`, () => {
    fc.assert(
      fc.property(anyInput, (input) => holds(input, decide(input))),
      { numRuns: 2_000 },
    )
  })
}

const marked = (input: DecideInput) => (input.observation.state === 'present' ? input.observation.mark : undefined)

law('only an observed deletion intent, or a difference that cannot be changed in place, destroys', (input, { type }) =>
  type === 'delete'
    ? input.desired.deleting && input.desired.mayDelete
    : type !== 'replace' || input.differences.includes(fixed),
)
law('absence, or not knowing, never destroys', (input, { type }) =>
  input.observation.state === 'present' ? true : type !== 'delete' && type !== 'replace' && type !== 'update',
)
law(
  'what carries the mark of another is changed only when adopted',
  (input, { type }) =>
    marked(input)?.uid !== theirs.uid || input.desired.adopt || !['update', 'replace', 'delete'].includes(type),
)
law(
  'what has neither record nor our mark is not changed',
  (input, { type }) =>
    input.record.external !== undefined ||
    marked(input)?.uid === ours.uid ||
    !['update', 'replace', 'delete'].includes(type),
)
law('creation needs a certain absence', (input, { type }) => type !== 'create' || input.observation.state === 'absent')
law('while an outcome is unknown nothing is done outside', (input, { type }) =>
  input.record.unsettled ? type === 'unknown' : true,
)
law('an observe-only object causes no effect', (input, { type }) =>
  !input.desired.observeOnly || input.desired.deleting || input.record.external !== undefined
    ? true
    : ['nothing', 'wait', 'unknown'].includes(type),
)
law('the finalizer goes only when nothing late can still appear', (input, decision) => {
  if (decision.type !== 'forget' || !input.desired.mayDelete || input.observation.state !== 'absent') return true
  return Object.values(input.record.settlingUntilMs).every((untilMs) => untilMs <= NOW)
})
