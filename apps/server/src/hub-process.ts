import { readFileSync } from 'node:fs'
import type { Logger } from '@orrery/api'
import { systemClock, systemRandom } from '@orrery/client/node'
import { createAuthenticator, createDefaultAuthorizer, createHub, parseTokenFile } from '@orrery/hub'
import { listen, openKeyFile, openPki, openWorkerSqliteStore, writeKubeconfig } from '@orrery/hub/node'
import { encryptedStore, type Store } from '@orrery/hub/store'
import { Registry } from 'prom-client'
import type { DataDirectory } from './data-directory.ts'

/** Stored values under these prefixes are encrypted. */
const SECRET_PREFIXES = ['/core/secrets/']

export interface HubProcessOptions {
  readonly data: DataDirectory
  readonly host: string
  readonly port: number
  /** kube-apiserver's token file. */
  readonly tokenFile: string | undefined
  readonly log: Logger
  readonly onReady: (url: string) => void
}

/** Runs an API server over the SQLite store of a data directory until `signal` aborts. */
export async function runHub(options: HubProcessOptions, signal: AbortSignal): Promise<void> {
  const { data, log } = options
  const tokens = options.tokenFile === undefined ? [] : parseTokenFile(readFileSync(options.tokenFile, 'utf8'))
  const pki = openPki({ directory: data.pki, nowMs: systemClock.now(), hosts: [options.host] })
  await using file = await openWorkerSqliteStore({
    path: data.store,
    newId: systemRandom.uuid(),
    reserve: { path: data.reserve },
  })
  const store = encryptedStore(file, {
    keyring: openKeyFile(data.secretsKey, await holdsSecrets(file)),
    prefixes: SECRET_PREFIXES,
    random: systemRandom,
  })
  await using hub = await createHub({
    store,
    clock: systemClock,
    random: systemRandom,
    log,
    metrics: new Registry(),
    authenticator: createAuthenticator({ tokens }),
    authorizer: createDefaultAuthorizer(),
  })
  await using listener = await listen({
    hub,
    log,
    server: pki.server,
    authority: pki.authority,
    host: options.host,
    port: options.port,
  })
  writeKubeconfig({ path: data.kubeconfig, server: listener.url, authority: pki.authority, user: pki.admin })
  log.info({ url: listener.url, hub: hub.id }, 'the API is served')
  options.onReady(listener.url)
  await aborted(signal)
}

async function holdsSecrets(store: Store): Promise<boolean> {
  for (const prefix of SECRET_PREFIXES) {
    if ((await store.list({ prefix, limit: 1 })).items.length > 0) return true
  }
  return false
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
