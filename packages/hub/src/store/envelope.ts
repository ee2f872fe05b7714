import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Random } from '@orrery/api'

/** A key-encryption key. `id` is stored with each value that it protects and must never be reused. */
export interface EncryptionKey {
  readonly id: string
  /** 32 bytes. */
  readonly key: Uint8Array
}

/** All keys that may have protected a value; the first protects new ones. */
export type Keyring = readonly [EncryptionKey, ...EncryptionKey[]]

/** A value that cannot be opened: wrong key, changed bytes, or moved from another key. */
export class EnvelopeError extends Error {
  override readonly name = 'EnvelopeError'
}

/** No JSON and no protobuf starts so: tells an envelope from what was stored before encryption was on. */
const MAGIC = Buffer.from('\0orrery-envelope-1\0')
const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const MAX_ID_BYTES = 255

interface Sealing {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly context: Uint8Array
}

function seal(plain: Uint8Array, { key, nonce, context }: Sealing): readonly Uint8Array[] {
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(context)
  const sealed = [cipher.update(plain), cipher.final()]
  return [nonce, cipher.getAuthTag(), ...sealed]
}

function open(sealed: Uint8Array, { key, context }: Omit<Sealing, 'nonce'>): Uint8Array {
  if (sealed.byteLength < NONCE_BYTES + TAG_BYTES) throw new EnvelopeError('it is cut short')
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(context)
    .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  const plain = decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch (cause) {
    throw new EnvelopeError('it was changed, or moved from another key', { cause })
  }
}

/** Whether the bytes are an envelope at all. */
export function isEnvelope(value: Uint8Array): boolean {
  return MAGIC.equals(value.subarray(0, MAGIC.byteLength))
}

/**
 * Encrypts with a fresh data key, which is itself encrypted under the first key of the ring. Bound to
 * `storeKey`: the bytes cannot be read under another.
 */
export function sealEnvelope(
  plain: Uint8Array,
  sealing: { storeKey: string; keyring: Keyring; random: Random },
): Uint8Array {
  const { storeKey, keyring, random } = sealing
  const [{ id, key }] = keyring
  const idBytes = Buffer.from(id)
  if (idBytes.byteLength > MAX_ID_BYTES) throw new RangeError(`A key id has at most ${MAX_ID_BYTES} bytes`)
  const context = Buffer.from(`${id}\0${storeKey}`)
  const dataKey = random.bytes(KEY_BYTES)
  return Buffer.concat([
    MAGIC,
    Uint8Array.of(idBytes.byteLength),
    idBytes,
    ...seal(dataKey, { key, nonce: random.bytes(NONCE_BYTES), context }),
    ...seal(plain, { key: dataKey, nonce: random.bytes(NONCE_BYTES), context }),
  ])
}

/** The plain bytes. Throws {@link EnvelopeError}; its message continues "it cannot be read: …" and names no secret. */
export function openEnvelope(
  value: Uint8Array,
  { storeKey, keyring }: { storeKey: string; keyring: Keyring },
): Uint8Array {
  const idAt = MAGIC.byteLength + 1
  const wrappedAt = idAt + (value[MAGIC.byteLength] ?? 0)
  const sealedAt = wrappedAt + NONCE_BYTES + TAG_BYTES + KEY_BYTES
  if (sealedAt > value.byteLength) throw new EnvelopeError('it is cut short')
  const id = Buffer.from(value.subarray(idAt, wrappedAt)).toString()
  const found = keyring.find((candidate) => candidate.id === id)
  if (found === undefined)
    throw new EnvelopeError(`it was encrypted with key ${JSON.stringify(id)}, which the key file lacks`)
  const context = Buffer.from(`${id}\0${storeKey}`)
  const dataKey = open(value.subarray(wrappedAt, sealedAt), { key: found.key, context })
  return open(value.subarray(sealedAt), { key: dataKey, context })
}
