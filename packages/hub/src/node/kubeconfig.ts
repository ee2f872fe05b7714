import type { KeyPair } from './pki.ts'
import { writePrivateFile } from './private-file.ts'

export interface KubeconfigOptions {
  readonly path: string
  /** `https://host:port`. */
  readonly server: string
  /** PEM. */
  readonly authority: string
  readonly user: KeyPair
}

/** Writes a kubeconfig with everything embedded, mode 0600: it holds the administrator's key. */
export function writeKubeconfig({ path, server, authority, user }: KubeconfigOptions): void {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'orrery', cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [
      {
        name: 'orrery-admin',
        user: { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) },
      },
    ],
    contexts: [{ name: 'orrery', context: { cluster: 'orrery', user: 'orrery-admin' } }],
    'current-context': 'orrery',
    preferences: {},
  }
  // JSON is YAML, and needs no quoting rules of our own.
  writePrivateFile(path, `${JSON.stringify(config, undefined, 2)}\n`)
}
