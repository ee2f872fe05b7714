import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a file that only its owner can read (mode 0600, whatever the umask), aside, synced and renamed:
 * a crash leaves the old file or the new one, never a part. A file that is already so is left alone, which
 * also works on a full disk.
 */
export function writePrivateFile(path: string, content: string): void {
  if (isWritten(path, content)) return
  const temporary = `${path}.new`
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', 0o600)
  try {
    fchmodSync(file, 0o600)
    writeSync(file, content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  const directory = openSync(dirname(path), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function isWritten(path: string, content: string): boolean {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
  try {
    return (fstatSync(file).mode & 0o777) === 0o600 && readFileSync(file, 'utf8') === content
  } finally {
    closeSync(file)
  }
}
