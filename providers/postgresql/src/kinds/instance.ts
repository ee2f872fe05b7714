import type { TypeOf } from '@orrery/api'
import { boolean, integer, map, object, oneOf, optional, string, withDefault } from '@orrery/api'
import type { EffectContext, KindContext, KindDefinition, Observation } from '@orrery/provider'
import { defineKind, ExternalError } from '@orrery/provider'
import { PostgresClient } from '../client.ts'
import type { ChoosePort, LocalServer, LocalServers, ServerSettings } from '../local-servers.ts'
import { connectionValues } from './role.ts'

const forProvider = object({
  version: optional(
    string({
      'x-orrery-immutable': true,
      description: 'Major version; only the packaged one can be run. Default that one.',
    }),
  ),
  port: optional(
    integer({
      minimum: 1024,
      maximum: 65535,
      description: 'TCP port on 127.0.0.1; default a free one, which it keeps.',
    }),
  ),
  memory: withDefault(
    oneOf(['small', 'medium', 'large'], {
      description: 'Shared buffers of 32 MB, 256 MB or 1 GB, and what goes with them.',
    }),
    'small',
  ),
  parameters: optional(
    map(string(), { description: 'Server parameters, as in postgresql.conf. They win over what memory sets.' }),
  ),
})
const atProvider = object({
  host: string(),
  port: integer(),
  version: string(),
  running: boolean(),
  dataDirectory: string(),
  parameters: map(string()),
  memory: string(),
  machine: string({ description: 'Identity of the machine it runs on.' }),
})

type Spec = TypeOf<typeof forProvider>
type State = TypeOf<typeof atProvider>

const HOST = '127.0.0.1'
const SUPERUSER = 'postgres'
const PASSWORD_LENGTH = 32

const MEMORY: Readonly<Record<Spec['memory'], Readonly<Record<string, string>>>> = {
  small: { shared_buffers: '32MB', work_mem: '4MB', maintenance_work_mem: '64MB', max_connections: '100' },
  medium: { shared_buffers: '256MB', work_mem: '8MB', maintenance_work_mem: '128MB', max_connections: '200' },
  large: { shared_buffers: '1GB', work_mem: '16MB', maintenance_work_mem: '512MB', max_connections: '400' },
}

/** What the server itself decides about, whatever the user says: where it listens and how clients prove themselves. */
const RESERVED = [
  'port',
  'listen_addresses',
  'unix_socket_directories',
  'data_directory',
  'hba_file',
  'ident_file',
  'external_pid_file',
  'password_encryption',
]

/**
 * A supervised PostgreSQL server on the machine of the manager. Its name there is `<namespace>.<name>`; it is bound
 * to its machine, and elsewhere nothing is known of it. It outlives a restart of the manager.
 */
export function instanceKind(servers: LocalServers, choosePort: ChoosePort): KindDefinition {
  return defineKind<undefined>()({
    kind: 'Instance',
    plural: 'instances',
    shortNames: ['pginstance'],
    description: 'A PostgreSQL server on this machine, from packaged binaries.',
    forProvider,
    atProvider,
    providerConfig: 'none',
    dataBearing: true,
    credentials: { password: { key: 'password', generate: { length: PASSWORD_LENGTH } } },
    // The directory's name is the identity, and every effect ends in one rename or one write of this process.
    safety: { create: { type: 'name' }, update: { type: 'name' }, delete: { type: 'name' } },
    maxLateExecutionMs: 0,
    effectTimeoutMs: 120_000,
    // Nothing tells of the end of a server; what is in it waits until somebody looks.
    poll: { minMs: 2_000, maxMs: 10_000 },
    defaultExternalName: ({ namespace, name }) => `${namespace}.${name}`,
    observe: async (context) => await observe(servers, context),
    async create(context) {
      const { desired, credentials, attempt, mark, signal } = context
      await requireVersion(servers, desired)
      const port = desired.port ?? (await choosePort())
      const settings = settingsOf(desired, port)
      await context.send(async () => {
        await servers.initialize(context.externalName, {
          attempt: attempt.id,
          password: credentials['password'] ?? '',
          mark,
          settings,
          signal,
        })
      })
      return { state: 'done' }
    },
    update: async (context) => await update(servers, context),
    async delete(context) {
      await context.send(async () => {
        await servers.remove(context.externalName, { attempt: context.attempt.id, signal: context.signal })
      })
      return { state: 'done' }
    },
    async probe(context, state) {
      const client = clientFor(state.port, context.credentials['password'])
      try {
        await client.query('SELECT 1', { signal: context.signal })
        return { state: 'ready' }
      } finally {
        await client.close()
      }
    },
    connection(context, state) {
      const password = context.credentials['password']
      if (password === undefined) return undefined
      return connectionValues({ host: HOST, port: state.port, database: 'postgres', username: SUPERUSER, password })
    },
  })
}

async function observe(servers: LocalServers, context: KindContext<undefined, Spec>): Promise<Observation<State>> {
  const machine = context.recorded?.['machine']
  if (typeof machine === 'string' && machine !== servers.hostId) {
    return {
      state: 'unknown',
      reason: 'OtherHost',
      message: 'It runs on another machine; only a manager there can look after it.',
    }
  }
  const server = await servers.inspect(context.externalName)
  if (server === undefined) return { state: 'absent' }
  const restart = server.pid !== undefined && (await needsRestart(server, context))
  return {
    state: 'present',
    mark: server.mark,
    changed: [...(server.pid === undefined ? ['running'] : []), ...(restart ? ['restart'] : [])],
    ...(server.userDatabases === 0
      ? {}
      : { notEmpty: `${server.userDatabases} ${server.userDatabases === 1 ? 'database' : 'databases'}` }),
    atProvider: {
      host: HOST,
      port: server.settings.port,
      version: server.version,
      running: server.pid !== undefined,
      dataDirectory: server.dataDirectory,
      parameters: server.settings.parameters,
      memory: memoryOf(server.settings, context.desired),
      machine: servers.hostId,
    },
  }
}

// The class is told by what it sets, unless the user overrides that; then the wish counts as fulfilled.
function memoryOf(settings: ServerSettings, desired: Spec): string {
  const expected = { ...MEMORY[desired.memory], ...desired.parameters }
  const same = Object.keys(MEMORY[desired.memory]).every((key) => settings.parameters[key] === expected[key])
  return same ? desired.memory : 'other'
}

/** Whether the server has settings that it can only follow after a restart. A server that cannot be asked has none to tell. */
async function needsRestart(server: LocalServer, context: KindContext<undefined, Spec>): Promise<boolean> {
  if (server.listeningPort !== undefined && server.listeningPort !== server.settings.port) return true
  const client = clientFor(server.settings.port, context.credentials['password'])
  try {
    const pending = await client.query('SELECT FROM pg_settings WHERE pending_restart', { signal: context.signal })
    return pending.length > 0
  } catch (error) {
    if (error instanceof ExternalError) return false
    throw error
  } finally {
    await client.close()
  }
}

async function update(
  servers: LocalServers,
  context: EffectContext<undefined, Spec>,
): Promise<{ readonly state: 'done' }> {
  const { changed, desired, externalName, observed, signal } = context
  if (changed.includes('mark')) {
    await context.send(async () => await servers.writeMark(externalName, context.mark))
    return { state: 'done' }
  }
  const stored = observed?.['port']
  const port = desired.port ?? (typeof stored === 'number' ? stored : 0)
  if (changed.some((path) => path !== 'running' && path !== 'restart' && path !== 'password')) {
    await context.send(async () => {
      await servers.configure(externalName, settingsOf(desired, port))
    })
    return { state: 'done' }
  }
  if (changed.includes('password')) {
    throw new ExternalError({
      class: 'user',
      reason: 'PasswordLost',
      message:
        'The generated superuser password was changed or lost and cannot be read back from the server; restore its Secret.',
    })
  }
  await context.send(async () => {
    if (changed.includes('restart')) await servers.stop(externalName, signal)
    await servers.start(externalName, signal)
  })
  return { state: 'done' }
}

function settingsOf(desired: Spec, port: number): ServerSettings {
  const reserved = Object.keys(desired.parameters ?? {}).find((name) => RESERVED.includes(name))
  if (reserved !== undefined) {
    throw new ExternalError({
      class: 'user',
      reason: 'ReservedParameter',
      message: `spec.forProvider.parameters.${reserved} is set by the instance itself and cannot be given.`,
    })
  }
  return { port, parameters: { ...MEMORY[desired.memory], ...desired.parameters } }
}

async function requireVersion(servers: LocalServers, desired: Spec): Promise<void> {
  const packaged = await servers.version()
  if (desired.version === undefined || packaged.split('.')[0] === desired.version.split('.')[0]) return
  throw new ExternalError({
    class: 'user',
    reason: 'VersionNotPackaged',
    message: `spec.forProvider.version ${desired.version} cannot be run; the packaged server is ${packaged}.`,
  })
}

function clientFor(port: number, password: string | undefined): PostgresClient {
  return new PostgresClient({
    host: HOST,
    port,
    database: 'postgres',
    username: SUPERUSER,
    password,
    tls: 'disable',
    caCertificate: undefined,
  })
}
