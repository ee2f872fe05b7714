import { crc32 } from 'node:zlib'
import { type Revision, revision, StoreError } from './store.ts'

/**
 * The memory store's file: records of `magic, payload length, CRC-32 of the payload, payload`. The first is
 * the header, each further one is a whole batch of writes, so that a batch is there or not.
 */

export interface FileHeader {
  readonly format: number
  readonly id: string
  /** The newest revision when the file was written: survives even when the newest entries were compacted. */
  readonly revision: Revision
  readonly compacted: Revision
}

/** One version in the file. */
export interface LogEntry {
  readonly key: string
  readonly revision: Revision
  readonly createRevision: Revision
  /** Absent for a delete. */
  readonly value?: Uint8Array
}

/** The format this code writes. Older ones are migrated when there are any; newer ones are refused. */
export const MEMORY_FORMAT = 1

const MAGIC = 0x4f52_4c47
const HEAD_BYTES = 12
const ENTRY_BYTES = 20
/** Marks a delete in the place of the value's length. */
const DELETED = 0xffff_ffff

function frame(payload: Uint8Array): Uint8Array {
  const record = Buffer.alloc(HEAD_BYTES + payload.byteLength)
  record.writeUInt32BE(MAGIC, 0)
  record.writeUInt32BE(payload.byteLength, 4)
  record.writeUInt32BE(crc32(payload), 8)
  record.set(payload, HEAD_BYTES)
  return record
}

export function encodeHeader(header: FileHeader): Uint8Array {
  return frame(Buffer.from(JSON.stringify(header)))
}

export function encodeEntries(entries: readonly LogEntry[]): Uint8Array {
  const parts: Buffer[] = []
  for (const entry of entries) {
    const key = Buffer.from(entry.key)
    const head = Buffer.alloc(ENTRY_BYTES + 4)
    head.writeUIntBE(entry.revision, 0, 6)
    head.writeUIntBE(entry.createRevision, 6, 6)
    head.writeUInt32BE(key.byteLength, 12)
    head.writeUInt32BE(entry.value === undefined ? DELETED : entry.value.byteLength, 16)
    parts.push(head, key)
    if (entry.value !== undefined) parts.push(Buffer.from(entry.value))
  }
  return frame(Buffer.concat(parts))
}

function decodeEntries(payload: Buffer): readonly LogEntry[] {
  const entries: LogEntry[] = []
  let at = 0
  while (at < payload.byteLength) {
    const keyBytes = payload.readUInt32BE(at + 12)
    const valueBytes = payload.readUInt32BE(at + 16)
    const keyAt = at + ENTRY_BYTES + 4
    const valueAt = keyAt + keyBytes
    const entry = {
      key: payload.toString('utf8', keyAt, valueAt),
      revision: revision(payload.readUIntBE(at, 6)),
      createRevision: revision(payload.readUIntBE(at + 6, 6)),
    }
    at = valueBytes === DELETED ? valueAt : valueAt + valueBytes
    entries.push(valueBytes === DELETED ? entry : { ...entry, value: payload.subarray(valueAt, at) })
  }
  return entries
}

function decodeHeader(payload: Buffer): FileHeader {
  const parsed: unknown = JSON.parse(payload.toString())
  if (
    typeof parsed !== 'object' ||
    parsed === null ||
    !('format' in parsed && typeof parsed.format === 'number') ||
    !('id' in parsed && typeof parsed.id === 'string') ||
    !('revision' in parsed && typeof parsed.revision === 'number') ||
    !('compacted' in parsed && typeof parsed.compacted === 'number')
  ) {
    throw new StoreError('corrupt', 'The header of the log file does not name format, id, revision and compacted')
  }
  const { format, id } = parsed
  return { format, id, revision: revision(parsed.revision), compacted: revision(parsed.compacted) }
}

export interface DecodedFile {
  readonly header: FileHeader
  readonly batches: readonly (readonly LogEntry[])[]
  /** Bytes up to the end of the last whole record; what follows was torn by a crash before it was acknowledged. */
  readonly sizeBytes: number
}

/** Undefined when not even the header is whole, which happens only before the first write. Throws `corrupt` and `newer-format`. */
export function decodeFile(bytes: Uint8Array): DecodedFile | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const first = payloadAt(file, 0)
  if (first === undefined) {
    assertTornTail(file, 0)
    return undefined
  }
  const header = decodeHeader(first)
  if (header.format > MEMORY_FORMAT) {
    throw new StoreError(
      'newer-format',
      `The log file has format ${header.format}; this version reads up to ${MEMORY_FORMAT}. Run the version that wrote it.`,
    )
  }
  const batches: (readonly LogEntry[])[] = []
  let at = HEAD_BYTES + first.byteLength
  for (let payload = payloadAt(file, at); payload !== undefined; payload = payloadAt(file, at)) {
    batches.push(decodeEntries(payload))
    at += HEAD_BYTES + payload.byteLength
  }
  assertTornTail(file, at)
  return { header, batches, sizeBytes: at }
}

/** The payload of a whole record at `at`. */
function payloadAt(file: Buffer, at: number): Buffer | undefined {
  if (at + HEAD_BYTES > file.byteLength || file.readUInt32BE(at) !== MAGIC) return undefined
  const payload = file.subarray(at + HEAD_BYTES, at + HEAD_BYTES + file.readUInt32BE(at + 4))
  if (payload.byteLength !== file.readUInt32BE(at + 4) || crc32(payload) !== file.readUInt32BE(at + 8)) return undefined
  return payload
}

/**
 * A crash damages only what was never acknowledged: the end. A whole record behind a damaged one means
 * that acknowledged bytes changed.
 * NOTE: damage of exactly the last record cannot be told from a torn write.
 */
function assertTornTail(file: Buffer, from: number): void {
  const magic = Buffer.alloc(4)
  magic.writeUInt32BE(MAGIC)
  for (let at = file.indexOf(magic, from + 1); at !== -1; at = file.indexOf(magic, at + 1)) {
    if (payloadAt(file, at) !== undefined) {
      throw new StoreError('corrupt', `The log file is damaged at byte ${from}: restore a backup`)
    }
  }
}
