import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import {
  bitString,
  boolean,
  explicit,
  implicit,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  unsignedInteger,
  utf8String,
} from './der.ts'

const oids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAlternativeName: '2.5.29.17',
  subjectKeyIdentifier: '2.5.29.14',
  authorityKeyIdentifier: '2.5.29.35',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

const serialBytes = 16

/** Who a certificate speaks of. */
export interface DistinguishedName {
  readonly commonName: string
  readonly organizations?: readonly string[]
}

/** What {@link createCertificate} signs. */
export interface CertificateOptions {
  readonly subject: DistinguishedName
  readonly publicKey: KeyObject
  readonly issuer: DistinguishedName
  /** An EC P-256 private key. */
  readonly issuerKey: KeyObject
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly purpose: 'authority' | 'server' | 'client'
  /** DNS names and IP addresses, for servers. */
  readonly hosts?: readonly string[]
}

/** Makes an X.509 version 3 certificate, signed with ECDSA and SHA-256, in PEM. */
export function createCertificate(options: CertificateOptions): string {
  const algorithm = sequence(objectIdentifier(oids.ecdsaWithSha256))
  const subjectKey = options.publicKey.export({ type: 'spki', format: 'der' })
  const body = sequence(
    explicit(0, unsignedInteger(Buffer.from([2]))),
    unsignedInteger(randomBytes(serialBytes)),
    algorithm,
    nameOf(options.issuer),
    sequence(time(options.notBeforeMs), time(options.notAfterMs)),
    nameOf(options.subject),
    subjectKey,
    explicit(3, sequence(...extensions(options, subjectKey))),
  )
  const signature = sign('sha256', body, options.issuerKey)
  const certificate = Buffer.from(sequence(body, algorithm, bitString(signature)))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function nameOf({ organizations = [], commonName }: DistinguishedName): Uint8Array {
  const attribute = (oid: string, value: string) => set(sequence(objectIdentifier(oid), utf8String(value)))
  return sequence(
    ...organizations.map((organization) => attribute(oids.organization, organization)),
    attribute(oids.commonName, commonName),
  )
}

function extensions(options: CertificateOptions, subjectKey: Uint8Array): readonly Uint8Array[] {
  const { purpose, hosts = [], issuerKey } = options
  const isAuthority = purpose === 'authority'
  // Certificate and CRL signing, or digital signature; bits count from the left.
  const usage = isAuthority ? bitString(Buffer.from([0x06]), 1) : bitString(Buffer.from([0x80]), 7)
  const extended = purpose === 'server' ? oids.serverAuth : oids.clientAuth
  const authorityKey = createPublicKey(issuerKey).export({ type: 'spki', format: 'der' })
  return [
    extension(oids.basicConstraints, sequence(...(isAuthority ? [boolean(true)] : [])), true),
    extension(oids.keyUsage, usage, true),
    ...(isAuthority ? [] : [extension(oids.extendedKeyUsage, sequence(objectIdentifier(extended)))]),
    extension(oids.subjectKeyIdentifier, octetString(keyIdentifier(subjectKey))),
    extension(oids.authorityKeyIdentifier, sequence(implicit(0, keyIdentifier(authorityKey)))),
    ...(hosts.length === 0 ? [] : [extension(oids.subjectAlternativeName, sequence(...hosts.map(hostName)))]),
  ]
}

function extension(oid: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(objectIdentifier(oid), ...(critical ? [boolean(true)] : []), octetString(value))
}

function keyIdentifier(spki: Uint8Array): Uint8Array {
  return createHash('sha256').update(spki).digest().subarray(0, 20)
}

function hostName(host: string): Uint8Array {
  const version = isIP(host)
  if (version === 0) return implicit(2, Buffer.from(host))
  return implicit(7, version === 4 ? Buffer.from(host.split('.').map(Number)) : ipv6Bytes(host))
}

/** The 16 bytes of an IPv6 address without an embedded IPv4 part or zone. */
export function ipv6Bytes(address: string): Uint8Array {
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => 0)
  return Buffer.from([...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]))
}
