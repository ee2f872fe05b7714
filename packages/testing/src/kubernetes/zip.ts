import { inflateRawSync } from 'node:zlib'

/** The signature of the record at the end of a zip file, and of each entry of its directory. */
const END = 0x06054b50
const ENTRY = 0x02014b50
const STORED = 0
/** Bounds what a name in the directory may unpack to. */
const maxEntryBytes = 256 * 1024 * 1024

/** The files of a zip archive (no ZIP64, stored or deflated) whose names are wanted. Throws for what is no such archive. */
export function unzip(archive: Buffer, wanted: ReadonlySet<string>): ReadonlyMap<string, Buffer> {
  const end = archive.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]))
  if (end < 0 || archive.readUInt32LE(end) !== END) throw new Error('The archive has no directory: it is no zip file.')
  const count = archive.readUInt16LE(end + 10)
  const files = new Map<string, Buffer>()
  let at = archive.readUInt32LE(end + 16)
  for (let index = 0; index < count; index++) {
    if (archive.readUInt32LE(at) !== ENTRY) throw new Error('The directory of the archive is damaged.')
    const nameBytes = archive.readUInt16LE(at + 28)
    const name = archive.toString('utf8', at + 46, at + 46 + nameBytes)
    if (wanted.has(name)) files.set(name, contentAt(archive, at))
    at += 46 + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  return files
}

function contentAt(archive: Buffer, entry: number): Buffer {
  const method = archive.readUInt16LE(entry + 10)
  const packedBytes = archive.readUInt32LE(entry + 20)
  const header = archive.readUInt32LE(entry + 42)
  const from = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28)
  const packed = archive.subarray(from, from + packedBytes)
  return method === STORED ? packed : inflateRawSync(packed, { maxOutputLength: maxEntryBytes })
}
