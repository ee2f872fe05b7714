import { type Revision, type StoredValue, StoreError } from '../store/store.ts'
import type { CachedObject, IndexRecord, WatchFrame } from './cache.ts'
import { findInsertionPoint, type InsertionPoint, spliceRevision } from './splice.ts'

export type IndexOf = (key: string, stored: Uint8Array) => IndexRecord

/** One version in the cache. Holds the served bytes only; the stored ones are cut out of them on demand. */
export class CachedVersion implements CachedObject {
  readonly key: string
  readonly revision: Revision
  readonly createRevision: Revision
  readonly bytes: Uint8Array
  readonly unreadable: string | undefined
  readonly #point: InsertionPoint | undefined
  readonly #insertedBytes: number
  #index: IndexRecord

  private constructor(parts: VersionParts) {
    this.key = parts.key
    this.revision = parts.revision
    this.createRevision = parts.createRevision
    this.#index = parts.index
    this.unreadable = parts.unreadable
    this.#point = parts.point
    this.bytes = spliceRevision(parts.stored, parts.point, parts.revision)
    this.#insertedBytes = this.bytes.byteLength - parts.stored.byteLength
  }

  static of({ key, value, modRevision, createRevision, unreadable }: StoredValue, indexOf: IndexOf): CachedVersion {
    const isReadable = unreadable === undefined
    return new CachedVersion({
      key,
      stored: value,
      revision: modRevision,
      createRevision,
      index: isReadable ? indexOf(key, value) : indexOfKey(key),
      point: isReadable ? findInsertionPoint(value) : undefined,
      unreadable,
    })
  }

  get index(): IndexRecord {
    return this.#index
  }

  /** Reads the index record again, after what it holds of an object has changed. */
  reindex(indexOf: IndexOf): void {
    if (this.unreadable === undefined) this.#index = indexOf(this.key, this.stored)
  }

  get stored(): Uint8Array {
    if (this.#point === undefined) return this.bytes
    const { at } = this.#point
    return Buffer.concat([this.bytes.subarray(0, at), this.bytes.subarray(at + this.#insertedBytes)])
  }

  /** The same state as a deletion at `revision` serves it. */
  at(revision: Revision): CachedVersion {
    const { key, createRevision, index, unreadable, stored } = this
    return new CachedVersion({ key, createRevision, index, unreadable, stored, revision, point: this.#point })
  }

  /** The version itself; throws `corrupt` when its bytes could not be read. */
  assertReadable(): this {
    if (this.unreadable === undefined) return this
    throw new StoreError(
      'corrupt',
      `The value of ${this.key} cannot be read: ${this.unreadable}. Restore a backup, or delete it with ?ignoreStoreReadErrorWithClusterBreakingPotential=true, which skips its finalizers.`,
      { key: this.key, revision: this.revision },
    )
  }
}

interface VersionParts {
  readonly key: string
  readonly stored: Uint8Array
  readonly revision: Revision
  readonly createRevision: Revision
  readonly index: IndexRecord
  readonly point: InsertionPoint | undefined
  readonly unreadable: string | undefined
}

/** What the key alone says; selectors on labels and fields do not match. */
function indexOfKey(key: string): IndexRecord {
  const [, , , namespace = '', ...name] = key.split('/')
  return { namespace, name: name.join('/'), uid: '', labels: undefined, fields: undefined }
}

/** One change of one key, with the frames that watchers see of it: each made once, for all of them. */
export class CacheEvent {
  readonly revision: Revision
  readonly current: CachedVersion | undefined
  readonly previous: CachedVersion | undefined
  #changed: WatchFrame | undefined
  #added: WatchFrame | undefined
  #deleted: WatchFrame | undefined

  constructor(event: {
    readonly revision: Revision
    readonly current: CachedVersion | undefined
    readonly previous: CachedVersion | undefined
  }) {
    this.revision = event.revision
    this.current = event.current
    this.previous = event.previous
  }

  get key(): string {
    return this.current?.key ?? this.previous?.key ?? ''
  }

  /** What the window must hold on to for this event beside the current objects. */
  get heldBytes(): number {
    return this.previous?.bytes.byteLength ?? 0
  }

  /** What a watcher that sees the states marked true is told; undefined when nothing. */
  frame(seesPrevious: boolean, seesCurrent: boolean): WatchFrame | undefined {
    const { current, previous, revision } = this
    if (current !== undefined && seesCurrent) {
      if (seesPrevious) return (this.#changed ??= { type: 'MODIFIED', object: current, revision })
      return (this.#added ??= { type: 'ADDED', object: current, revision })
    }
    if (previous === undefined || !seesPrevious) return undefined
    return (this.#deleted ??= { type: 'DELETED', object: previous.at(revision), revision })
  }
}
