/**
 * Was there one order of the operations on one key that explains every answer and respects real time?
 * Search after Wing and Gong, with Lowe's memo of (what is placed, state).
 */

/** An operation of one client. Versions are named by the write that made them; 0 is absence. */
export type RegisterOperation = {
  /** Any monotonic measure. */
  readonly calledAt: number
  /** Infinity when the outcome is unknown: it may take effect at any later time, or never. */
  readonly returnedAt: number
} & (
  | { readonly type: 'read'; readonly saw: number }
  /** A conditional write: replaced `expected` by `version` (0 deletes). */
  | {
      readonly type: 'write'
      readonly expected: number
      readonly version: number
      readonly outcome: 'written' | 'unknown'
    }
  /** A refused conditional write: the state was `saw`, not `expected`. */
  | { readonly type: 'refused'; readonly expected: number; readonly saw: number }
)

/** The state after the operation, or undefined when it cannot happen in `state`. */
function step(operation: RegisterOperation, state: number): number | undefined {
  if (operation.type === 'write') return state === operation.expected ? operation.version : undefined
  if (operation.type === 'read') return state === operation.saw ? state : undefined
  return state === operation.saw && state !== operation.expected ? state : undefined
}

interface Entry {
  readonly operation: RegisterOperation
  readonly id: number
  /** Of a call: its return. */
  readonly match: Entry | undefined
  readonly hash: number
  previous: Entry | undefined
  next: Entry | undefined
}

/** Whether the history of one key is linearizable, starting from `initial`. */
export function isLinearizable(operations: readonly RegisterOperation[], initial = 0): boolean {
  const head = buildList(operations)
  const seen = new Set<string>()
  const placed: { readonly entry: Entry; readonly state: number; readonly hash: readonly [number, number] }[] = []
  let remaining = operations.filter((operation) => operation.returnedAt !== Number.POSITIVE_INFINITY).length
  let state = initial
  let hash: readonly [number, number] = [0, 0]
  let entry = head.next
  while (remaining > 0) {
    if (entry === undefined) return false
    if (entry.match !== undefined) {
      const after = step(entry.operation, state)
      const placedHash = mix(hash, entry)
      const key = `${placedHash[0]}:${placedHash[1]}:${after}`
      if (after !== undefined && !seen.has(key)) {
        seen.add(key)
        placed.push({ entry, state, hash })
        state = after
        hash = placedHash
        lift(entry)
        if (isKnown(entry)) remaining--
        entry = head.next
      } else entry = entry.next
      continue
    }
    // A return whose call is not placed, or the open end: take the last choice back.
    const last = placed.pop()
    if (last === undefined) return false
    state = last.state
    hash = last.hash
    unlift(last.entry)
    if (isKnown(last.entry)) remaining++
    entry = last.entry.next
  }
  return true
}

const isKnown = (entry: Entry): boolean => entry.operation.returnedAt !== Number.POSITIVE_INFINITY

/** Two independent 32-bit hashes of the set of placed operations: order does not matter. */
function mix(hash: readonly [number, number], entry: Entry): readonly [number, number] {
  return [hash[0] ^ entry.hash, hash[1] ^ scramble(entry.hash ^ 0x5bd1e995)]
}

function scramble(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** A sentinel, then calls and returns by time; open ends come last. */
function buildList(operations: readonly RegisterOperation[]): Entry {
  const entries: { readonly at: number; readonly isReturn: boolean; readonly entry: Entry }[] = []
  for (const [id, operation] of operations.entries()) {
    const base = { operation, id, hash: scramble(id + 1), previous: undefined, next: undefined }
    const end: Entry = { ...base, match: undefined }
    entries.push({ at: operation.calledAt, isReturn: false, entry: { ...base, match: end } })
    entries.push({ at: operation.returnedAt, isReturn: true, entry: end })
  }
  // At equal times a call comes first: the operations may have overlapped.
  entries.sort((left, right) =>
    left.at === right.at ? Number(left.isReturn) - Number(right.isReturn) : left.at < right.at ? -1 : 1,
  )
  const none: RegisterOperation = { type: 'read', saw: 0, calledAt: 0, returnedAt: 0 }
  const head: Entry = { operation: none, id: -1, match: undefined, hash: 0, previous: undefined, next: undefined }
  let last = head
  for (const { entry } of entries) {
    last.next = entry
    entry.previous = last
    last = entry
  }
  return head
}

function lift(call: Entry): void {
  for (const entry of [call, call.match]) {
    if (entry === undefined) continue
    if (entry.previous !== undefined) entry.previous.next = entry.next
    if (entry.next !== undefined) entry.next.previous = entry.previous
  }
}

function unlift(call: Entry): void {
  for (const entry of [call.match, call]) {
    if (entry === undefined) continue
    if (entry.previous !== undefined) entry.previous.next = entry
    if (entry.next !== undefined) entry.next.previous = entry
  }
}
