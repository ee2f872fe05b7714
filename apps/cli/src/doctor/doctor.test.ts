import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type { Lease } from '@orrery/api'
import { judgeLease } from '../manager-lease.ts'
import { judgeCertificates } from './certificates.ts'
import { checkDataDirectory, checkKubeconfigs, checkNode, formatBytes, localDataDirectory } from './local.ts'
import { checkClock, parseServerVersion } from './server.ts'

const NOW = Date.parse('2026-06-01T00:00:00Z')
const DAY_MS = 86_400_000
const root = mkdtempSync(path.join(tmpdir(), 'orrery-doctor-'))
after(() => rmSync(root, { recursive: true }))

const server = { url: 'https://127.0.0.1:7443', insecureSkipTlsVerify: false, namespace: 'default', token: 't' }

for (const { version, want } of [
  { version: 'v24.0.0', want: 'ok' },
  { version: 'v26.1.0', want: 'ok' },
  { version: 'v22.9.0', want: 'fail' },
]) {
  test(`Node ${version} is ${want}`, () => assert.equal(checkNode(version).result, want))
}

for (const { offsetMs, want } of [
  { offsetMs: undefined, want: 'warn' },
  { offsetMs: 400, want: 'ok' },
  { offsetMs: -2_000, want: 'ok' },
  { offsetMs: 10_000, want: 'warn' },
  { offsetMs: -120_000, want: 'fail' },
]) {
  test(`a clock that differs by ${offsetMs} ms is ${want}`, () => {
    const connection = {
      client: undefined as never,
      kubeconfigs: [],
      namespace: 'default',
      clockOffsetMs: () => offsetMs,
      [Symbol.asyncDispose]: async () => undefined,
    }
    assert.equal(checkClock({ connection }).result, want)
  })
}

for (const { name, days, fromDays = -1, want } of [
  { name: 'lasts a year', days: 365, want: 'ok' },
  { name: 'ends soon', days: 10, want: 'warn' },
  { name: 'has expired', days: -1, want: 'fail' },
  { name: 'is not valid yet', days: 365, fromDays: 1, want: 'fail' },
]) {
  test(`a certificate that ${name} is ${want}, whatever the others are`, () => {
    const long = { what: 'the authority', fromMs: 0, toMs: NOW + 3650 * DAY_MS }
    const judged = { what: 'it', fromMs: NOW + fromDays * DAY_MS, toMs: NOW + days * DAY_MS }
    assert.equal(judgeCertificates([long, judged], { nowMs: NOW, program: 'orrery' }).result, want)
  })
}

const lease = (spec: Lease['spec']): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'orrery-manager' },
  spec,
})
const renewTime = new Date(NOW - 5_000).toISOString()

for (const { name, given, isAlive } of [
  { name: 'no lease', given: undefined, isAlive: false },
  { name: 'a released lease', given: lease({ holderIdentity: '', renewTime }), isAlive: false },
  { name: 'a lease that was never renewed', given: lease({ holderIdentity: 'a' }), isAlive: false },
  { name: 'a fresh lease', given: lease({ holderIdentity: 'a', leaseDurationSeconds: 15, renewTime }), isAlive: true },
  { name: 'an old lease', given: lease({ holderIdentity: 'a', leaseDurationSeconds: 2, renewTime }), isAlive: false },
]) {
  test(`with ${name} the manager counts as ${isAlive ? 'acting' : 'gone'}`, () =>
    assert.equal(judgeLease(given, NOW).isAlive, isAlive))
}

test('a hub tells its own version beside that of Kubernetes', () => {
  assert.deepEqual(parseServerVersion({ gitVersion: 'v1.35.4+orrery.7', minor: '35+' }), {
    gitVersion: 'v1.35.4+orrery.7',
    minor: 35,
    hub: '7',
  })
  assert.equal(parseServerVersion('<html>').minor, undefined)
})

test('a data directory is found beside its kubeconfig, and only for a server on this machine', () => {
  const directory = path.join(root, 'data')
  mkdirSync(directory)
  const kubeconfigs = [path.join(directory, 'kubeconfig')]
  assert.equal(localDataDirectory(kubeconfigs, server), undefined)
  writeFileSync(path.join(directory, 'store.db'), '')
  assert.equal(localDataDirectory(kubeconfigs, server), directory)
  assert.equal(localDataDirectory(kubeconfigs, { ...server, url: 'https://example.org' }), undefined)
})

test('a key that others can read fails, a closed directory does not', () => {
  const directory = path.join(root, 'modes')
  mkdirSync(path.join(directory, 'pki'), { recursive: true, mode: 0o700 })
  writeFileSync(path.join(directory, 'pki', 'ca.key'), '', { mode: 0o600 })
  const modes = () =>
    checkDataDirectory(directory, { program: 'orrery' }).find(({ check }) => check === 'file modes')?.result
  assert.equal(modes(), 'ok')
  chmodSync(path.join(directory, 'pki', 'ca.key'), 0o644)
  assert.equal(modes(), 'fail')
})

test('a kubeconfig with a token that others can read is to be closed', () => {
  const file = path.join(root, 'kubeconfig')
  writeFileSync(file, '', { mode: 0o600 })
  assert.equal(checkKubeconfigs([file], server).result, 'ok')
  chmodSync(file, 0o644)
  assert.equal(checkKubeconfigs([file], server).result, 'warn')
  const { token: _token, ...anonymous } = server
  assert.equal(checkKubeconfigs([file], anonymous).result, 'ok')
})

test('sizes are written in the largest unit that leaves at least one', () => {
  assert.deepEqual([1, 1024, 1536 * 1024].map(formatBytes), ['1 B', '1.0 KiB', '1.5 MiB'])
})
