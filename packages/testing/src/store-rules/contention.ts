import assert from 'node:assert/strict'
import { type Revision, revision, type Store, type WriteOutcome } from '@orrery/hub/store'
import { isLinearizable, type RegisterOperation } from '../linearizability.ts'
import { checkWatch, type RecordedWatch, type WatchedEvent } from '../watch-checks.ts'
import { watchedEvent } from '../worlds/store-watchers.ts'
import { bytes, none, put, take, text } from './rule.ts'

/** Ten clients on ten keys at once, watched from the beginning and from the middle. */
export async function contendForKeys(store: Store): Promise<void> {
  const operations = new Map<string, RegisterOperation[]>()
  let moment = 0
  let lastVersion = 0
  const client = async (id: number): Promise<void> => {
    for (let i = 0; i < 60; i++) {
      const key = `/c/${(id * 3 + i * 7) % 10}`
      const record = (operation: RegisterOperation) => operations.set(key, [...(operations.get(key) ?? []), operation])
      const readAt = moment++
      const found = await store.get(key)
      const saw = found === undefined ? 0 : Number(text(found.value))
      record({ type: 'read', saw, calledAt: readAt, returnedAt: moment++ })
      const version = found !== undefined && i % 4 === 0 ? 0 : ++lastVersion
      const request = { key, expected: found?.modRevision ?? none }
      const calledAt = moment++
      const outcome: WriteOutcome = await store.write(
        version === 0 ? request : { ...request, value: bytes(String(version)) },
      )
      const times = { calledAt, returnedAt: moment++ }
      if (outcome.state === 'written') record({ type: 'write', expected: saw, version, outcome: 'written', ...times })
      else {
        const current = outcome.current === undefined ? 0 : Number(text(outcome.current.value))
        record({ type: 'refused', expected: saw, saw: current, ...times })
      }
    }
  }
  const stop = new AbortController()
  const record = async (name: string, after: Revision): Promise<RecordedWatch> => {
    const batches: { type: 'event'; event: WatchedEvent }[][] = []
    for await (const batch of store.watch({ prefix: '/c/', after, signal: stop.signal })) {
      batches.push(batch.map((event) => ({ type: 'event', event: watchedEvent(event) })))
      if ((batch.at(-1)?.revision ?? 0) >= final) break
    }
    return { name, prefix: '/c/', after, batches, hasPrevious: true }
  }
  let final = Number.POSITIVE_INFINITY
  const early = record('early', none)
  const future = record('future', revision(100))
  await Promise.all(Array.from({ length: 10 }, (_, id) => client(id)))
  final = await store.revision()
  const last = await put(store, '/c/last', '0')
  final = last
  const late = record('late', revision(50))
  const watches = await Promise.all([early, future, late])
  const history = (await take(store, { prefix: '', after: none }, last)).map(watchedEvent)
  assert.equal(history.length, last)
  for (const [key, list] of operations) assert.ok(isLinearizable(list), `operations on ${key} are not linearizable`)
  for (const watch of watches) {
    assert.deepEqual(checkWatch(watch, history), [])
    assert.equal(watch.batches.flat().length, history.filter((event) => event.revision > watch.after).length)
  }
}
