import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'

/**
 * SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) in the form PostgreSQL stores. The server receives the verifier
 * instead of the password, so that the password appears in no statement and no server log.
 */
const ITERATIONS = 4096
const SALT_BYTES = 16

export function scramVerifier(password: string, salt: Uint8Array): string {
  if (salt.length < SALT_BYTES) throw new RangeError(`A salt needs ${SALT_BYTES} bytes.`)
  return formatVerifier(password, { salt, iterations: ITERATIONS })
}

/** Whether a stored verifier belongs to a password. Undefined when it is of another form (md5, none). */
export function verifies(stored: string | null, password: string): boolean | undefined {
  const match = stored === null ? null : /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(stored)
  const [, iterations, salt] = match ?? []
  if (stored === null || iterations === undefined || salt === undefined) return undefined
  const wanted = Buffer.from(
    formatVerifier(password, { salt: Buffer.from(salt, 'base64'), iterations: Number(iterations) }),
  )
  const found = Buffer.from(stored)
  return wanted.length === found.length && timingSafeEqual(wanted, found)
}

function formatVerifier(password: string, options: { readonly salt: Uint8Array; readonly iterations: number }): string {
  // NFKC is what SASLprep does to the texts that it does not refuse.
  const salted = pbkdf2Sync(password.normalize('NFKC'), options.salt, options.iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  const storedKey = createHash('sha256').update(clientKey).digest('base64')
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64')
  const salt = Buffer.from(options.salt).toString('base64')
  return `SCRAM-SHA-256$${options.iterations}:${salt}$${storedKey}:${serverKey}`
}
