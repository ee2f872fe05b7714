import { randomBytes, randomUUID } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import type { EncryptionKey, Keyring } from '../store/envelope.ts'
import { writePrivateFile } from './private-file.ts'

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
 * {@link KeyFileError} when others than the owner may read or write it, when it is damaged, or when it is
 * missing although `hasSecrets` says that there are values which it encrypted: a new key would hide the loss.
 */
export function openKeyFile(path: string, hasSecrets = false): Keyring {
  try {
    return readKeyFile(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  if (hasSecrets) {
    throw new KeyFileError(
      `The key file ${path} is missing, but the store holds Secrets that were encrypted with it. Restore it from a backup; without it they cannot be read.`,
    )
  }
  const key = { id: randomUUID(), key: randomBytes(KEY_BYTES).toString('base64') }
  writePrivateFile(path, `${JSON.stringify({ keys: [key] })}\n`)
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
