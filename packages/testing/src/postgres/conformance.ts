import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JsonObject, KubeObject, Secret } from '@orrery/api'
import { namespaces, secrets, silentLogger } from '@orrery/api'
import type { Client } from '@orrery/client'
import { systemClock, systemRandom } from '@orrery/client/node'
import type { ProviderDefinition } from '@orrery/provider'
import { providerConfigKind } from '@orrery/provider'
import type { ConformanceWorld, CredentialFaults, KindCase, ProviderHarness } from '@orrery/provider/conformance'
import { chooseFreePort, createLocalServers, postgresql } from '@orrery/provider-postgresql'
import { Registry } from 'prom-client'
import { createTestHub } from '../test-hub.ts'
import { NEEDED, outsideOf } from './outside.ts'
import type { Proxy } from './proxy.ts'
import { startProxy } from './proxy.ts'
import type { PostgresServer } from './server.ts'

const NAMESPACE = 'conformance'
const GROUP = 'postgresql.orrery.dev'
const CREDENTIAL = { namespace: NAMESPACE, name: 'login' }
const PATIENCE_MS = 45_000
const LOOK_EVERY_MS = 40
/** Covers a write to the store in memory, a pool that has to connect, and a busy machine. */
const SEND_WINDOW_MS = 400

function needed(kind: string, name: string): KubeObject {
  const object = { apiVersion: `${GROUP}/v1alpha1`, kind, metadata: { name }, spec: { forProvider: {} } }
  return object
}

const cases: readonly KindCase[] = [
  {
    kind: 'Role',
    forProvider: { connectionLimit: 5 },
    changes: [
      { field: 'connectionLimit', forProvider: { connectionLimit: 7 } },
      { field: 'createDatabase', forProvider: { createDatabase: true } },
    ],
    driftable: ['connectionLimit'],
    isImportable: true,
  },
  {
    kind: 'Database',
    forProvider: { ownerRef: { name: NEEDED.databaseOwner }, connectionLimit: 5 },
    prerequisites: [needed('Role', NEEDED.databaseOwner)],
    changes: [{ field: 'connectionLimit', forProvider: { connectionLimit: 7 } }],
    immutableChange: { encoding: 'SQL_ASCII' },
    driftable: ['connectionLimit'],
    isImportable: true,
  },
  {
    kind: 'Grant',
    forProvider: {
      roleRef: { name: NEEDED.grantRole },
      databaseRef: { name: NEEDED.grantDatabase },
      privileges: ['CONNECT', 'TEMPORARY'],
    },
    prerequisites: [needed('Role', NEEDED.grantRole), needed('Database', NEEDED.grantDatabase)],
    externalName: () => `${NEEDED.grantRole}@${NEEDED.grantDatabase}/database`,
    changes: [{ field: 'privileges', forProvider: { privileges: ['CONNECT', 'CREATE'] } }],
    driftable: ['privileges'],
    isImportable: true,
  },
  {
    kind: 'Schema',
    forProvider: { databaseRef: { name: NEEDED.schemaDatabase }, ownerRef: { name: NEEDED.schemaOwner } },
    prerequisites: [
      needed('Role', NEEDED.schemaOwner),
      needed('Role', NEEDED.otherSchemaOwner),
      needed('Database', NEEDED.schemaDatabase),
    ],
    externalName: (name) => `${NEEDED.schemaDatabase}/${name}`,
    changes: [{ field: 'owner', forProvider: { ownerRef: { name: NEEDED.otherSchemaOwner } } }],
    driftable: ['owner'],
    isImportable: true,
  },
]

/**
 * What lives in a PostgreSQL server, on a real one and in real time. Every world has a login and a way to the server
 * of its own, so that worlds can be tried side by side. An Instance is a server itself, and the name of an Extension
 * one of a few: neither fits the suite's naming, and each has tests of its own. The server must have started when
 * the tests run, not when they are registered.
 */
export function postgresHarness(serverOf: () => PostgresServer): ProviderHarness {
  return {
    cases,
    async run(work) {
      await using stack = new AsyncDisposableStack()
      const server = serverOf()
      const root = await mkdtemp(join(tmpdir(), 'orrery-conformance-'))
      stack.defer(async () => await rm(root, { recursive: true, force: true }))
      const servers = await createLocalServers({ root })
      const { instanceKind: _none, ...definition } = postgresql({ servers, choosePort: chooseFreePort })
      const covered = new Set(cases.map(({ kind }) => kind))
      const provider = { ...definition, kinds: definition.kinds.filter(({ kind }) => covered.has(kind)) }
      const hub = stack.use(await createTestHub({ clock: systemClock, random: systemRandom }))
      const proxy = stack.use(await startProxy(server))
      await work(await worldOf({ server, provider, proxy, client: hub.client }))
    },
  }
}

interface Parts {
  readonly server: PostgresServer
  readonly provider: ProviderDefinition
  readonly proxy: Proxy
  readonly client: Client
}

async function worldOf({ server, provider, proxy, client }: Parts): Promise<ConformanceWorld> {
  const username = `conformance_${randomBytes(4).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await server.query(`CREATE ROLE ${username} SUPERUSER LOGIN PASSWORD '${password}'`)
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE }, spec: {} })
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: CREDENTIAL,
    type: 'Opaque',
    data: encoded({ host: proxy.host, port: String(proxy.port), username, password }),
  }
  await client.create(secrets, secret)
  return {
    provider,
    client,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    namespace: NAMESPACE,
    systemNamespace: 'orrery-system',
    createMetrics: () => new Registry(),
    createConfig: async () => {
      const config: KubeObject & { readonly spec: unknown } = {
        apiVersion: `${GROUP}/v1alpha1`,
        kind: 'ProviderConfig',
        metadata: { namespace: NAMESPACE, name: 'default' },
        spec: { credentialsSecretRef: { name: CREDENTIAL.name } },
      }
      await client.create<KubeObject>(providerConfigKind(provider), config)
    },
    timing: { sendWindowMs: SEND_WINDOW_MS },
    patienceMs: PATIENCE_MS,
    lookEveryMs: LOOK_EVERY_MS,
    outside: outsideOf(server),
    credentials: credentialFaults({ server, client, username, password }),
    reach: { start: async () => await proxy.cut(), stop: async () => await proxy.mend() },
  }
}

function credentialFaults(
  login: Pick<Parts, 'server' | 'client'> & { readonly username: string; readonly password: string },
): CredentialFaults {
  const { server, client, username } = login
  let valid = login.password
  const setSecret = async (password: string) => {
    const body: JsonObject = { data: encoded({ password }) }
    await client.patch(secrets, CREDENTIAL, { type: 'merge', body })
  }
  return {
    wrong: { start: async () => await setSecret('wrong'), stop: async () => await setSecret(valid) },
    async rotate() {
      valid = randomBytes(12).toString('hex')
      await server.query(`ALTER ROLE ${username} PASSWORD '${valid}'`)
      await setSecret(valid)
    },
  }
}

function encoded(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
}
