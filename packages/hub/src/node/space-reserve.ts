import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SpaceReserve } from '../store/sqlite-log.ts'

export interface ReserveOptions {
  /** A file on the store's disk. */
  readonly path: string
  /** Default: 64 MiB, room for about 100,000 deletes and the log of a checkpoint; an eighth of a smaller disk. */
  readonly sizeBytes?: number
}

const DEFAULT_SIZE_BYTES = 64 * 1024 * 1024
const DISK_SHARE = 8
/** Taken only when so many times the reserve is free: else a nearly full disk would flap. */
const HEADROOM = 2
const CHUNK_BYTES = 1024 * 1024

/** A file of that size, really written: sparse files reserve nothing. Whether one could be made is an answer, not an error. */
export function createSpaceReserve({ path, sizeBytes: wantedBytes }: ReserveOptions): SpaceReserve {
  const release = () => rmSync(path, { force: true })
  return {
    release,
    hold: () => {
      if (existsSync(path)) return true
      const disk = statfsSync(dirname(path))
      const sizeBytes = wantedBytes ?? Math.min(DEFAULT_SIZE_BYTES, Math.floor((disk.blocks * disk.bsize) / DISK_SHARE))
      if (disk.bavail * disk.bsize < sizeBytes * HEADROOM) return false
      const file = openSync(path, 'w', 0o600)
      try {
        const chunk = Buffer.alloc(CHUNK_BYTES, 1)
        for (let at = 0; at < sizeBytes; at += CHUNK_BYTES)
          writeSync(file, chunk, 0, Math.min(CHUNK_BYTES, sizeBytes - at))
        fsyncSync(file)
        return true
      } catch (error) {
        release()
        if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false
        throw error
      } finally {
        closeSync(file)
      }
    },
  }
}
