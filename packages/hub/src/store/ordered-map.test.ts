import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareKeys } from './key-order.ts'
import { OrderedMap, type OrderedSnapshot } from './ordered-map.ts'

const key = fc.oneof(fc.nat(400).map(String), fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }))
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('set' as const), key, value: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('snapshot' as const) }) },
)

const sorted = (model: ReadonlyMap<string, number>) => [...model].sort(([left], [right]) => compareKeys(left, right))

function assertSame(
  tree: OrderedMap<number> | OrderedSnapshot<number>,
  model: ReadonlyMap<string, number>,
  probe: string,
): void {
  const all = sorted(model)
  assert.equal(tree.size, model.size)
  assert.deepEqual([...tree.entries('')], all)
  assert.equal(tree.get(probe), model.get(probe))
  const from = all.filter(([candidate]) => compareKeys(candidate, probe) >= 0)
  assert.deepEqual([...tree.entries(probe)], from)
  assert.deepEqual(
    [...tree.entries(probe, true)],
    from.filter(([candidate]) => candidate !== probe),
  )
  assert.equal(tree.rank(probe), all.length - from.length)
  assert.equal(tree.rank(probe, true), all.length - from.length + (model.has(probe) ? 1 : 0))
}

test('an ordered map is a sorted map, and a snapshot never changes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: 'max' }), key, (steps, probe) => {
      const tree = new OrderedMap<number>()
      const model = new Map<string, number>()
      const snapshots: { readonly tree: OrderedSnapshot<number>; readonly model: ReadonlyMap<string, number> }[] = []
      for (const next of steps) {
        if (next.type === 'set') {
          tree.set(next.key, next.value)
          model.set(next.key, next.value)
        } else if (next.type === 'delete') assert.equal(tree.delete(next.key), model.delete(next.key))
        else if (snapshots.length < 5) snapshots.push({ tree: tree.snapshot(), model: new Map(model) })
      }
      assertSame(tree, model, probe)
      for (const snapshot of snapshots) assertSame(snapshot.tree, snapshot.model, probe)
    }),
    { numRuns: 60 },
  )
})

test('keys are ordered as their UTF-8 bytes', () => {
  const text = fc.string({ unit: 'binary' })
  fc.assert(
    fc.property(text, text, (left, right) => {
      assert.equal(Math.sign(compareKeys(left, right)), Buffer.compare(Buffer.from(left), Buffer.from(right)))
    }),
  )
})
