/**
 * The nine promises of a watch, checked against the complete history: filter, ordered, unique, atomic,
 * bookmarkable, resumable, reliable, previous value, create flag. After etcd's robustness tests.
 */

/** A change as a watcher saw it, or as it truly was. Values as text, so that differences can be shown. */
export interface WatchedEvent {
  readonly revision: number
  readonly key: string
  /** Absent for a delete. */
  readonly value?: string
  /** The state before; absent when there was none. */
  readonly previous?: string
  readonly isCreate: boolean
}

export type WatchItem =
  | { readonly type: 'event'; readonly event: WatchedEvent }
  | { readonly type: 'bookmark'; readonly revision: number }

/** Everything that one watch delivered until it ended. */
export interface RecordedWatch {
  readonly name: string
  readonly prefix: string
  readonly after: number
  readonly batches: readonly (readonly WatchItem[])[]
  /** Whether `previous` was delivered at all. */
  readonly hasPrevious: boolean
}

/** What was broken, in words; empty when all nine hold. `history` is ascending and has no gap from `after` on. */
export function checkWatch(watch: RecordedWatch, history: readonly WatchedEvent[]): readonly string[] {
  const violations: string[] = []
  const violate = (rule: string, what: string) =>
    violations.push(`watch ${watch.name} after ${watch.after}: ${rule}: ${what}`)
  const events = watch.batches.flatMap((batch) => batch.flatMap((item) => (item.type === 'event' ? [item.event] : [])))
  const truth = history.filter((event) => event.revision > watch.after && event.key.startsWith(watch.prefix))
  const byRevision = new Map(truth.map((event) => [`${event.revision} ${event.key}`, event]))
  checkOrder(events, violate)
  checkAtomic(watch, violate)
  checkBookmarks(watch, truth, violate)
  const [first] = events
  const [expected] = truth
  if (first !== undefined && first.revision !== expected?.revision) {
    violate('resumable', `began at ${first.revision}, the first change is ${expected?.revision ?? 'none'}`)
  }
  const last = events.at(-1)?.revision ?? 0
  const delivered = new Set(events.map((event) => `${event.revision} ${event.key}`))
  for (const event of truth) {
    if (event.revision <= last && !delivered.has(`${event.revision} ${event.key}`)) {
      violate('reliable', `${event.key} at ${event.revision} is missing`)
    }
  }
  for (const event of events) {
    if (!event.key.startsWith(watch.prefix)) violate('filter', `${event.key} is not under ${watch.prefix}`)
    const real = byRevision.get(`${event.revision} ${event.key}`)
    if (real === undefined) violate('reliable', `${event.key} at ${event.revision} never happened`)
    else checkContent(event, { real, hasPrevious: watch.hasPrevious, violate })
  }
  return violations
}

type Violate = (rule: string, what: string) => void

function checkOrder(events: readonly WatchedEvent[], violate: Violate): void {
  const seen = new Set<string>()
  let newest = 0
  for (const { revision, key } of events) {
    if (revision < newest) violate('ordered', `${revision} came after ${newest}`)
    if (seen.has(`${revision} ${key}`)) violate('unique', `${key} at ${revision} came twice`)
    seen.add(`${revision} ${key}`)
    newest = Math.max(newest, revision)
  }
}

function checkAtomic(watch: RecordedWatch, violate: Violate): void {
  const batchOf = new Map<number, number>()
  for (const [index, batch] of watch.batches.entries()) {
    for (const item of batch) {
      if (item.type !== 'event') continue
      const known = batchOf.get(item.event.revision)
      if (known !== undefined && known !== index) violate('atomic', `revision ${item.event.revision} was split`)
      batchOf.set(item.event.revision, index)
    }
  }
}

function checkBookmarks(watch: RecordedWatch, truth: readonly WatchedEvent[], violate: Violate): void {
  let delivered = 0
  let promised = 0
  for (const item of watch.batches.flat()) {
    if (item.type === 'event') {
      delivered++
      if (item.event.revision <= promised)
        violate('bookmarkable', `${item.event.revision} came after the bookmark ${promised}`)
      continue
    }
    promised = Math.max(promised, item.revision)
    const due = truth.filter((event) => event.revision <= item.revision).length
    if (delivered < due)
      violate('bookmarkable', `the bookmark ${item.revision} came after ${delivered} of ${due} events`)
  }
}

function checkContent(
  event: WatchedEvent,
  against: { real: WatchedEvent; hasPrevious: boolean; violate: Violate },
): void {
  const { real, hasPrevious, violate } = against
  if (event.value !== real.value) violate('reliable', `${event.key} at ${event.revision} has another value`)
  if (event.isCreate !== real.isCreate) violate('create flag', `${event.key} at ${event.revision}`)
  if (hasPrevious && event.previous !== real.previous) violate('previous value', `${event.key} at ${event.revision}`)
}

/** The state after `revision`: key to value. */
export function replay(history: readonly WatchedEvent[], revision: number): ReadonlyMap<string, string> {
  const state = new Map<string, string>()
  for (const event of history) {
    if (event.revision > revision) break
    if (event.value === undefined) state.delete(event.key)
    else state.set(event.key, event.value)
  }
  return state
}

/** Equal states have equal digests, whatever the order they were built in. */
export function digestOf(state: ReadonlyMap<string, string>): string {
  return JSON.stringify([...state].sort(([left], [right]) => (left < right ? -1 : 1)))
}
