import assert from 'node:assert/strict'
import { type Revision, revision, type Store, StoreError, type StoreEvent } from '@orrery/hub/store'
import type { WatchedEvent } from '../watch-checks.ts'

/** How the suite gets stores. */
export interface StoreFixture {
  /** An empty store. */
  readonly open: () => Promise<Store>
  /** Disposes the store and opens its data again. */
  readonly reopen: (store: Store) => Promise<Store>
  /** How much a watcher may lag: the suite writes more than that. Absent skips the rule on slow watchers. */
  readonly watcherItems?: number
}

/** A rule of the contract: what must hold, and the proof, on an empty store. */
export interface Rule {
  readonly name: string
  readonly body: (store: Store, fixture: StoreFixture) => Promise<void>
}

/** The state before the first write; expected where no key may be. */
export const none = revision(0)
/** Text as stored. */
export const bytes = (text: string): Uint8Array => Buffer.from(text)
/** A stored value as text. */
export const text = (value: Uint8Array): string => Buffer.from(value).toString()

/** Writes what must succeed; its revision. */
export async function put(store: Store, key: string, value: string, expected: Revision = none): Promise<Revision> {
  const outcome = await store.write({ key, expected, value: bytes(value) })
  assert.equal(outcome.state, 'written', `${key} could not be written`)
  return outcome.state === 'written' ? outcome.revision : none
}

/** Deletes what must be there; the revision of that. */
export async function remove(store: Store, key: string, expected: Revision): Promise<Revision> {
  const outcome = await store.write({ key, expected })
  assert.equal(outcome.state, 'written', `${key} could not be deleted`)
  return outcome.state === 'written' ? outcome.revision : none
}

/** For `assert.rejects`: a `StoreError` of that kind. */
export const hasKind = (kind: StoreError['kind']) => (error: unknown) =>
  error instanceof StoreError && error.kind === kind

/** Collects a watch until `count` events have come. */
export async function take(
  store: Store,
  start: { prefix: string; after: Revision },
  count: number,
): Promise<readonly StoreEvent[]> {
  const stop = new AbortController()
  const events: StoreEvent[] = []
  if (count === 0) return events
  for await (const batch of store.watch({ ...start, signal: stop.signal })) {
    events.push(...batch)
    if (events.length >= count) stop.abort()
  }
  return events
}

/** Creates, updates and deletes eight keys in a fixed disorder; the history that this makes. */
export async function scramble(store: Store, writes: number, salt = 0): Promise<readonly WatchedEvent[]> {
  const history: WatchedEvent[] = []
  for (let i = 0; i < writes; i++) {
    const key = `/k/${(i * 7 + salt + (i >> 3)) % 8}`
    const known = await store.get(key)
    const isDelete = known !== undefined && i % 3 === 0
    const value = `${salt}-${i}`
    const at = isDelete
      ? await remove(store, key, known.modRevision)
      : await put(store, key, value, known?.modRevision ?? none)
    history.push({
      revision: at,
      key,
      isCreate: known === undefined,
      ...(isDelete ? {} : { value }),
      ...(known === undefined ? {} : { previous: text(known.value) }),
    })
  }
  return history
}
