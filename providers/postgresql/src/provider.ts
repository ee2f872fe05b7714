import type { TypeOf } from '@orrery/api'
import { integer, object, oneOf, optional, string, withDefault } from '@orrery/api'
import type { ConnectInput, ProviderDefinition } from '@orrery/provider'
import { defineProvider, ExternalError } from '@orrery/provider'
import { PostgresClient } from './client.ts'
import { database } from './kinds/database.ts'
import { extension } from './kinds/extension.ts'
import { grant } from './kinds/grant.ts'
import { instanceKind } from './kinds/instance.ts'
import { role } from './kinds/role.ts'
import { schema } from './kinds/schema.ts'
import type { ChoosePort, LocalServers } from './local-servers.ts'

const config = object({
  host: optional(string({ minLength: 1, description: 'Name or address; default the key host of the Secret.' })),
  port: optional(integer({ minimum: 1, maximum: 65535, description: 'Default the key port of the Secret, or 5432.' })),
  database: optional(
    string({
      minLength: 1,
      description: 'Database for administrative statements; default the key database of the Secret, or postgres.',
    }),
  ),
  username: optional(string({ minLength: 1, description: 'Default the key username of the Secret.' })),
  tls: withDefault(
    oneOf(['disable', 'require', 'verify-ca', 'verify-full'], {
      description: 'require encrypts without checking whom it talks to; verify-full checks certificate and name.',
    }),
    'disable',
  ),
  caCertificate: optional(
    string({ description: 'PEM; default the key ca.crt of the Secret, or the certificate authorities of the system.' }),
  ),
})

type Config = TypeOf<typeof config>

/** Most calls in flight to one server; its connections are few and dear. */
const MAX_CONCURRENT_CALLS = 6

/** PostgreSQL 12 to 18: servers on this machine, and everything in servers anywhere. */
export function postgresql(options: {
  readonly servers: LocalServers
  readonly choosePort: ChoosePort
}): ProviderDefinition {
  return defineProvider<PostgresClient>()({
    group: 'postgresql.orrery.dev',
    description: 'PostgreSQL',
    shortName: 'pg',
    config,
    instanceKind: 'Instance',
    kinds: [instanceKind(options.servers, options.choosePort), role, database, grant, schema, extension],
    maxConcurrentCalls: MAX_CONCURRENT_CALLS,
    connect: (input) => new PostgresClient(addressOf(input)),
    close: async (client) => await client.close(),
    check: async (client, { signal }) => {
      await client.query('SELECT 1', { signal })
    },
    identify(input) {
      const { host, port } = addressOf(input)
      return `postgresql://${host.toLowerCase()}:${port}`
    },
  })
}

function addressOf({ config: given, credentials }: ConnectInput<Config>) {
  const host = given.host ?? credentials['host']
  const username = given.username ?? credentials['username']
  if (host === undefined || username === undefined) {
    throw new ExternalError({
      class: 'user',
      reason: 'IncompleteConfig',
      message: 'Host and username must be given, in spec or as keys host and username of the Secret.',
    })
  }
  return {
    host,
    port: given.port ?? Number(credentials['port'] ?? 5432),
    database: given.database ?? credentials['database'] ?? 'postgres',
    username,
    password: credentials['password'],
    tls: given.tls ?? ('disable' as const),
    caCertificate: given.caCertificate ?? credentials['ca.crt'],
  }
}
