import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ipv6Bytes } from './certificate.ts'
import { openPki, PkiError } from './pki.ts'

const directories: string[] = []
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'orrery-pki-'))
  directories.push(directory)
  return directory
}

const nowMs = Date.parse('2026-01-01T00:00:00Z')
const dayMs = 86_400_000

function missingOpenssl(): string | false {
  try {
    execFileSync('openssl', ['version'])
    return false
  } catch {
    return 'openssl is not installed'
  }
}

test('openssl reads and verifies what we sign', { skip: missingOpenssl() }, () => {
  const directory = newDirectory()
  openPki({ directory, nowMs: Date.now(), hosts: ['hub.example.com', '10.1.2.3', 'fd00::7'] })
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: directory, encoding: 'utf8' })
  const verify = (purpose: string, file: string) =>
    openssl('verify', '-x509_strict', '-CAfile', 'ca.crt', '-purpose', purpose, file)
  assert.match(verify('sslserver', 'server.crt'), /OK/)
  assert.match(verify('sslclient', 'admin.crt'), /OK/)
  const server = openssl('x509', '-in', 'server.crt', '-noout', '-text')
  assert.match(server, /DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1/)
  assert.match(server, /DNS:hub\.example\.com, IP Address:10\.1\.2\.3, IP Address:FD00:0:0:0:0:0:0:7/)
  const subject = openssl('x509', '-in', 'admin.crt', '-noout', '-subject')
  assert.match(subject, /O\s*=\s*system:masters.*CN\s*=\s*orrery-admin/)
  assert.match(openssl('x509', '-in', 'ca.crt', '-noout', '-text'), /CA:TRUE/)
})

test('a second start uses the same certificates', () => {
  const directory = newDirectory()
  assert.deepEqual(openPki({ directory, nowMs }), openPki({ directory, nowMs: nowMs + dayMs }))
})

test('leaves near their end are renewed, the authority stays', () => {
  const directory = newDirectory()
  const first = openPki({ directory, nowMs })
  const later = openPki({ directory, nowMs: nowMs + 300 * dayMs })
  assert.equal(later.authority, first.authority)
  assert.notEqual(later.server.certificate, first.server.certificate)
  assert.notEqual(later.admin.certificate, first.admin.certificate)
})

test('a new host gives a new server certificate and leaves the administrator alone', () => {
  const directory = newDirectory()
  const first = openPki({ directory, nowMs })
  const wider = openPki({ directory, nowMs, hosts: ['other.example.com'] })
  assert.notEqual(wider.server.certificate, first.server.certificate)
  assert.equal(wider.admin.certificate, first.admin.certificate)
})

test('every key is readable by its owner only', () => {
  const directory = newDirectory()
  openPki({ directory, nowMs })
  for (const name of ['ca.key', 'server.key', 'admin.key']) {
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name)
  }
})

test('a key that others could read is refused', () => {
  const directory = newDirectory()
  openPki({ directory, nowMs })
  chmodSync(join(directory, 'ca.key'), 0o644)
  assert.throws(() => openPki({ directory, nowMs }), PkiError)
})

test('a certificate with the key of another is refused', () => {
  const directory = newDirectory()
  const other = newDirectory()
  openPki({ directory, nowMs })
  openPki({ directory: other, nowMs })
  copyFileSync(join(other, 'ca.key'), join(directory, 'ca.key'))
  assert.throws(() => openPki({ directory, nowMs }), PkiError)
})

for (const { address, want } of [
  { address: '::1', want: '00000000000000000000000000000001' },
  { address: '::', want: '00000000000000000000000000000000' },
  { address: 'fd00:1:2:3:4:5:6:7', want: 'fd000001000200030004000500060007' },
  { address: 'fe80::', want: 'fe800000000000000000000000000000' },
])
  test(`the bytes of ${address}`, () => assert.equal(Buffer.from(ipv6Bytes(address)).toString('hex'), want))
