import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { KubeconfigError, loadKubeconfig, parseKubeconfig } from './kubeconfig.ts'

const directory = mkdtempSync(join(tmpdir(), 'orrery-kubeconfig-'))
after(() => rmSync(directory, { recursive: true }))

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
writeFileSync(join(directory, 'ca.pem'), PEM)

interface Parts {
  readonly cluster?: string
  readonly user?: string
  readonly current?: string
}

const configOf = ({ cluster = '{server: "https://a:6443"}', user = '{}', current = 'one' }: Parts) => `
apiVersion: v1
kind: Config
current-context: ${current}
contexts:
- {name: one, context: {cluster: c, user: u, namespace: team}}
- {name: two, context: {cluster: c}}
clusters:
- {name: c, cluster: ${cluster}}
users:
- {name: u, user: ${user}}
`

test('files and inline data are read, relative to the kubeconfig, and inline data wins', () => {
  const inline = Buffer.from(PEM.replace('AAAA', 'BBBB')).toString('base64')
  const server = parseKubeconfig(
    configOf({
      cluster: `{server: "https://a:6443/", certificate-authority: ca.pem, tls-server-name: hub}`,
      user: `{client-certificate: ca.pem, client-certificate-data: "${inline}", client-key: ca.pem, token: t, tokenFile: token}`,
    }),
    { directory },
  )
  assert.equal(server.url, 'https://a:6443')
  assert.equal(server.ca, PEM)
  assert.match(server.clientCertificate ?? '', /BBBB/)
  assert.equal(server.tlsServerName, 'hub')
  assert.equal(server.token, undefined)
  assert.equal(server.tokenFile, join(directory, 'token'))
  assert.equal(server.namespace, 'team')
})

test('the context can be chosen; its namespace is default unless it says otherwise', () => {
  const server = parseKubeconfig(configOf({ cluster: '{server: "http://a", insecure-skip-tls-verify: true}' }), {
    directory,
    context: 'two',
  })
  assert.deepEqual(server, { url: 'http://a', insecureSkipTlsVerify: true, namespace: 'default' })
})

test('of several files the first that has an entry wins', () => {
  const paths = ['a', 'b'].map((name) => join(directory, name))
  writeFileSync(paths[0] ?? '', 'current-context: two\n')
  writeFileSync(paths[1] ?? '', configOf({}))
  assert.equal(loadKubeconfig({ paths }).namespace, 'default')
})

for (const { name, parts } of [
  { name: 'an exec plugin', parts: { user: '{exec: {command: aws}}' } },
  { name: 'an auth provider', parts: { user: '{auth-provider: {name: gcp}}' } },
  { name: 'a proxy', parts: { cluster: '{server: "https://a", proxy-url: "http://p"}' } },
  { name: 'a server without a scheme', parts: { cluster: '{server: "a:6443"}' } },
  { name: 'a context that is not there', parts: { current: 'three' } },
  { name: 'no context at all', parts: { current: '""' } },
  { name: 'a certificate without its key', parts: { user: '{client-certificate: ca.pem}' } },
  { name: 'a file that is not there', parts: { cluster: '{server: "https://a", certificate-authority: none.pem}' } },
  { name: 'data that is not PEM', parts: { cluster: '{server: "https://a", certificate-authority-data: "AAAA"}' } },
]) {
  test(`${name} is refused with an instruction`, () => {
    assert.throws(() => parseKubeconfig(configOf(parts), { directory }), KubeconfigError)
  })
}

test('an error never quotes a secret', () => {
  const isSilent = (error: unknown) => error instanceof Error && !error.message.includes('hunter2')
  assert.throws(() => parseKubeconfig(configOf({ user: '{token: hunter2, exec: {}}' }), { directory }), isSilent)
})
