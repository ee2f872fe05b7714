/**
 * Files as the memory store needs them: what was appended may be lost until `sync` has returned. The
 * simulator implements it with crashes and faults.
 */
export interface Disk {
  /** The whole file, or undefined when there is none. */
  read(name: string): Promise<Uint8Array | undefined>
  /** Appends, creating the file. Throws {@link DiskError}; a prefix of the bytes may then have been written. */
  append(name: string, bytes: Uint8Array): Promise<void>
  /** Makes the file's content and its name durable. After a failure nothing about unsynced bytes is known. */
  sync(name: string): Promise<void>
  truncate(name: string, sizeBytes: number): Promise<void>
  /** Replaces `to`. Atomic, and durable when it returns. */
  rename(from: string, to: string): Promise<void>
  /** Absence is fine. */
  remove(name: string): Promise<void>
}

/** `full`: no space. `io`: the device failed. */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly kind: 'full' | 'io'
  constructor(kind: 'full' | 'io', message: string) {
    super(message)
    this.kind = kind
  }
}
