import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createCertificate } from './certificate.ts'
import { writePrivateFile } from './private-file.ts'

const dayMs = 86_400_000
/** The authority is what clients pin: it outlives every leaf. */
const authorityDays = 3650
const leafDays = 365
/** A leaf with less than this left is made anew at start; a hub that runs longer than that must be restarted. */
const renewDays = 120
/** Clocks of clients may be behind. */
const backdateMs = 3_600_000

const authorityName = { commonName: 'orrery-ca' }

/** Certificates of a hub cannot be used; the message says what to do. */
export class PkiError extends Error {
  override readonly name = 'PkiError'
}

/** A certificate with its key. */
export interface KeyPair {
  /** PEM. */
  readonly certificate: string
  /** PEM, PKCS 8. Secret. */
  readonly key: string
}

/** What a hub needs to serve and its administrator to connect. */
export interface Pki {
  /** PEM. What clients trust. */
  readonly authority: string
  readonly server: KeyPair
  /** A client certificate of `system:masters`. */
  readonly admin: KeyPair
}

export interface PkiOptions {
  /** Made with mode 0700 when missing. Holds `ca.crt`, `ca.key`, `server.crt`, … with mode 0600. */
  readonly directory: string
  readonly nowMs: number
  /** Further names and addresses under which clients reach the server. */
  readonly hosts?: readonly string[]
}

/**
 * The hub's own authority and its certificates: made at first start, leaves renewed when they come near
 * their end or lack a host. Throws {@link PkiError} for keys that others can read, or that are damaged.
 */
export function openPki({ directory, nowMs, hosts = [] }: PkiOptions): Pki {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const authority = openAuthority(directory, nowMs)
  const allHosts = [...new Set(['localhost', '127.0.0.1', '::1', hostname(), ...hosts])]
  const shared = { directory, authority, nowMs }
  const server = openLeaf({
    ...shared,
    name: 'server',
    hosts: allHosts,
    purpose: 'server',
    subject: { commonName: 'orrery-hub' },
  })
  const masters = { commonName: 'orrery-admin', organizations: ['system:masters'] }
  const admin = openLeaf({ ...shared, name: 'admin', hosts: [], purpose: 'client', subject: masters })
  return { authority: authority.pair.certificate, server, admin }
}

interface Authority {
  readonly pair: KeyPair
  readonly key: KeyObject
  readonly certificate: X509Certificate
}

function openAuthority(directory: string, nowMs: number): Authority {
  const pair = readPair(directory, 'ca') ?? makeAuthority(directory, nowMs)
  const certificate = new X509Certificate(pair.certificate)
  if (certificate.validToDate.getTime() <= nowMs) {
    throw new PkiError(
      `The certificate authority in ${directory} has expired. Remove ca.crt and ca.key there and start again; every client then needs the new kubeconfig.`,
    )
  }
  return { pair, key: createPrivateKey(pair.key), certificate }
}

function makeAuthority(directory: string, nowMs: number): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = createCertificate({
    subject: authorityName,
    publicKey,
    issuer: authorityName,
    issuerKey: privateKey,
    notBeforeMs: nowMs - backdateMs,
    notAfterMs: nowMs + authorityDays * dayMs,
    purpose: 'authority',
  })
  return writePair(directory, 'ca', certificate, privateKey)
}

interface LeafOptions {
  readonly directory: string
  readonly name: string
  readonly authority: Authority
  readonly nowMs: number
  readonly hosts: readonly string[]
  readonly subject: { readonly commonName: string; readonly organizations?: readonly string[] }
  readonly purpose: 'server' | 'client'
}

function openLeaf(options: LeafOptions): KeyPair {
  const { directory, name, authority, nowMs, hosts, subject, purpose } = options
  const known = readPair(directory, name)
  if (known !== undefined && isUsable(known, options)) return known
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = createCertificate({
    subject,
    purpose,
    publicKey,
    issuer: authorityName,
    issuerKey: authority.key,
    notBeforeMs: nowMs - backdateMs,
    notAfterMs: Math.min(nowMs + leafDays * dayMs, authority.certificate.validToDate.getTime()),
    hosts,
  })
  return writePair(directory, name, certificate, privateKey)
}

function isUsable(pair: KeyPair, { authority, nowMs, hosts }: LeafOptions): boolean {
  const certificate = new X509Certificate(pair.certificate)
  const endsMs = certificate.validToDate.getTime()
  const isLastOne = endsMs >= authority.certificate.validToDate.getTime()
  const isFresh = endsMs > nowMs && (endsMs - nowMs > renewDays * dayMs || isLastOne)
  const coversHosts = hosts.every((host) =>
    isIP(host) === 0 ? certificate.checkHost(host) !== undefined : certificate.checkIP(host) !== undefined,
  )
  return isFresh && coversHosts && certificate.verify(authority.certificate.publicKey)
}

/** Undefined when either file is missing: a half-written pair is made anew. */
function readPair(directory: string, name: string): KeyPair | undefined {
  const path = join(directory, `${name}.key`)
  const certificate = readIfThere(join(directory, `${name}.crt`))
  const key = readIfThere(path)
  if (certificate === undefined || key === undefined) return undefined
  const mode = statSync(path).mode & 0o777
  if ((mode & 0o077) !== 0) {
    throw new PkiError(
      `The key ${path} has mode ${mode.toString(8)}: others may have read it. Remove ${name}.crt and ${name}.key, so that new ones are made.`,
    )
  }
  if (!isPair(certificate, key)) {
    throw new PkiError(
      `${name}.crt and ${name}.key in ${directory} do not belong together or are damaged. Restore them from a backup, or remove both, so that new ones are made.`,
    )
  }
  return { certificate, key }
}

function isPair(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
  } catch {
    // The parser's message may quote the key; that it is damaged says enough.
    return false
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function writePair(directory: string, name: string, certificate: string, privateKey: KeyObject): KeyPair {
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  // The key first: a certificate without its key is never left behind.
  writePrivateFile(join(directory, `${name}.key`), key)
  writePrivateFile(join(directory, `${name}.crt`), certificate)
  return { certificate, key }
}
