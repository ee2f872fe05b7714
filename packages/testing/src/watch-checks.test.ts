import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkWatch, type RecordedWatch, type WatchedEvent, type WatchItem } from './watch-checks.ts'

const history: readonly WatchedEvent[] = [
  { revision: 1, key: '/a/1', value: 'x', isCreate: true },
  { revision: 2, key: '/b/1', value: 'x', isCreate: true },
  { revision: 3, key: '/a/1', value: 'y', previous: 'x', isCreate: false },
  { revision: 4, key: '/a/1', previous: 'y', isCreate: false },
]
const [first, other, second, third] = history.map((event): WatchItem => ({ type: 'event', event }))
assert.ok(first !== undefined && other !== undefined && second !== undefined && third !== undefined)

const bookmark = (revision: number): WatchItem => ({ type: 'bookmark', revision })
const changed = (item: WatchItem, change: Partial<WatchedEvent>): WatchItem =>
  item.type === 'event' ? { type: 'event', event: { ...item.event, ...change } } : item

const watch = (items: readonly WatchItem[], after = 0): RecordedWatch => ({
  name: 'w',
  prefix: '/a/',
  after,
  hasPrevious: true,
  batches: items.map((item) => [item]),
})

for (const { broken, recorded } of [
  { broken: 'filter', recorded: watch([first, other]) },
  { broken: 'ordered', recorded: watch([second, first]) },
  { broken: 'unique', recorded: watch([first, first]) },
  { broken: 'atomic', recorded: watch([first, changed(first, { key: '/a/2' })]) },
  { broken: 'bookmarkable', recorded: watch([first, bookmark(3), second]) },
  { broken: 'bookmarkable', recorded: watch([bookmark(1)]) },
  { broken: 'resumable', recorded: watch([first, second], 1) },
  { broken: 'resumable', recorded: watch([second]) },
  { broken: 'reliable', recorded: watch([first, third]) },
  { broken: 'reliable', recorded: watch([changed(first, { value: 'z' })]) },
  { broken: 'previous value', recorded: watch([first, changed(second, { previous: 'z' })]) },
  { broken: 'create flag', recorded: watch([changed(first, { isCreate: false })]) },
]) {
  test(`a watch that breaks the promise "${broken}" is found`, () => {
    const violations = checkWatch(recorded, history)
    assert.ok(
      violations.some((violation) => violation.includes(`: ${broken}: `)),
      violations.join('\n'),
    )
  })
}

test('a watch that keeps all nine promises is accepted, also cut short or started later', () => {
  const all = [first, bookmark(2), second, bookmark(3), third, bookmark(9)]
  for (let length = 0; length <= all.length; length++)
    assert.deepEqual(checkWatch(watch(all.slice(0, length)), history), [])
  assert.deepEqual(checkWatch(watch([second, third], 1), history), [])
  assert.deepEqual(checkWatch(watch([bookmark(9)], 4), history), [])
})
