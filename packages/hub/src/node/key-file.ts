import { randomBytes, randomUUID } from 'node:crypto'
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
import type { EncryptionKey, Keyring } from '../store/envelope.ts'

const KEY_BYTES = 32
/** Permission bits of group and others. */
const NOT_OWNER = 0o077

/** The key file cannot be used; the message says what to do. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
}

/**
 * Reads the keyring, or makes it with one random key (mode 0600) when there is no file. JSON:
 * `{"keys":[{"id":"…","key":"<32 bytes in base64>"}]}`; the first key protects new values. Throws
 * {@link KeyFileError} when others than the owner may read or write it, or when it is damaged.
 */
export function openKeyFile(path: string): Keyring {
  try {
    return readKeyFile(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  createKeyFile(path)
  return readKeyFile(path)
}

function readKeyFile(path: string): Keyring {
  const file = openSync(path, 'r')
  try {
    const mode = fstatSync(file).mode & 0o777
    if ((mode & NOT_OWNER) !== 0) {
      throw new KeyFileError(
        `The key file ${path} has mode ${mode.toString(8)}: others may have read the key. Run chmod 600 on it, and rotate the key.`,
      )
    }
    return parseKeyring(readFileSync(file, 'utf8'), path)
  } finally {
    closeSync(file)
  }
}

/** Written aside, synced and renamed: a crash leaves a whole file or none. Values encrypted with a lost key are lost. */
function createKeyFile(path: string): void {
  const temporary = `${path}.new`
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', 0o600)
  try {
    fchmodSync(file, 0o600) // Whatever the umask says.
    const key = { id: randomUUID(), key: randomBytes(KEY_BYTES).toString('base64') }
    writeSync(file, `${JSON.stringify({ keys: [key] })}\n`)
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

function parseKeyring(text: string, path: string): Keyring {
  const damaged = new KeyFileError(
    `The key file ${path} is damaged. Restore it from a backup: without it, encrypted objects cannot be read.`,
  )
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw damaged // Without the parser's message, which quotes the content.
  }
  if (typeof parsed !== 'object' || parsed === null || !('keys' in parsed) || !Array.isArray(parsed.keys)) throw damaged
  const [first, ...others] = parsed.keys.map((entry: unknown) => parseKey(entry) ?? damaged)
  if (first === undefined || first instanceof KeyFileError) throw damaged
  const keyring: [EncryptionKey, ...EncryptionKey[]] = [first]
  for (const key of others) {
    if (key instanceof KeyFileError) throw key
    keyring.push(key)
  }
  return keyring
}

function parseKey(entry: unknown): EncryptionKey | undefined {
  if (typeof entry !== 'object' || entry === null || !('id' in entry) || !('key' in entry)) return undefined
  if (typeof entry.id !== 'string' || typeof entry.key !== 'string') return undefined
  const key = Buffer.from(entry.key, 'base64')
  return key.byteLength === KEY_BYTES ? { id: entry.id, key } : undefined
}
