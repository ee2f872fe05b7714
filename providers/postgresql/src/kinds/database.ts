import type { TypeOf } from '@orrery/api'
import { array, boolean, integer, object, optional, string, withDefault } from '@orrery/api'
import type { EffectContext, KindContext, Observation } from '@orrery/provider'
import { defineKind, ExternalError } from '@orrery/provider'
import type { PostgresClient } from '../client.ts'
import { commentWithMark, identifier, literal, markOf } from '../sql.ts'
import { FENCED, fence, renamed } from './effects.ts'
import { connectionValues } from './role.ts'
import { listOf, textOf } from './rows.ts'

const immutable = { 'x-orrery-immutable': true } as const

const forProvider = object({
  owner: optional(
    string({ minLength: 1, maxLength: 63, description: 'Role that owns it; default the role of the ProviderConfig.' }),
  ),
  encoding: optional(string({ ...immutable, description: 'Character set, e.g. UTF8; cannot change.' })),
  locale: optional(string({ ...immutable, description: 'LC_COLLATE and LC_CTYPE; cannot change.' })),
  template: optional(
    string({
      minLength: 1,
      maxLength: 63,
      description:
        'Database it is copied from when it is created; default template1, or template0 with an encoding or a locale.',
    }),
  ),
  connectionLimit: withDefault(integer({ minimum: -1, description: '-1 is unlimited.' }), -1),
  allowConnections: withDefault(boolean(), true),
  extensions: optional(
    array(string({ minLength: 1, maxLength: 63 }), {
      'x-kubernetes-list-type': 'set',
      description: 'Extensions that are installed in it; others are left alone.',
    }),
  ),
})

const atProvider = object({
  owner: string(),
  encoding: string(),
  locale: string(),
  connectionLimit: integer(),
  allowConnections: boolean(),
  extensions: optional(array(string(), { 'x-kubernetes-list-type': 'set' })),
  oid: integer({ format: 'int64' }),
})

type Spec = TypeOf<typeof forProvider>
type State = TypeOf<typeof atProvider>

export const database = defineKind<PostgresClient>()({
  kind: 'Database',
  plural: 'databases',
  shortNames: ['pgdb'],
  description: 'A database of a PostgreSQL server.',
  forProvider,
  atProvider,
  dataBearing: true,
  references: { owner: { to: 'Role' } },
  safety: FENCED,
  maxLateExecutionMs: 0,
  fence,
  observe,
  normalize: (desired) =>
    desired.encoding === undefined ? desired : { ...desired, encoding: encodingName(desired.encoding) },
  async create(context) {
    await context.client.mutate(createStatement(context), {
      ...context,
      doing: `Creating database ${context.externalName}`,
    })
    return { state: 'done' }
  },
  async update(context) {
    const { client, externalName } = context
    const extensions = context.changed.includes('extensions') && context.changed.length === 1
    await client.mutate(extensions ? extensionStatements(context) : await alterStatements(context), {
      ...context,
      ...(extensions ? { database: externalName } : {}),
      doing: `Changing database ${externalName}`,
    })
    return { state: 'done' }
  },
  async delete(context) {
    const { client, externalName } = context
    await client.leave(externalName)
    const force = context.forceDestroy && (await serverVersion(context)) >= 130_000 ? ' WITH (FORCE)' : ''
    await client.mutate(`DROP DATABASE ${identifier(externalName)}${force}`, {
      ...context,
      doing: `Dropping database ${externalName}`,
    })
    return { state: 'done' }
  },
  async probe(context, state) {
    if (!state.allowConnections) return { state: 'ready' }
    const login = ownerLogin(context)
    if (login === undefined)
      await context.client.query('SELECT 1', { database: context.externalName, signal: context.signal })
    else await context.client.login({ ...login, database: context.externalName }, context.signal)
    return { state: 'ready' }
  },
  connection(context) {
    const login = ownerLogin(context)
    if (login === undefined) return undefined
    const { host, port } = context.client.address
    return connectionValues({ host, port, database: context.externalName, ...login })
  },
  async *discover(client, { signal }) {
    const rows = await client.query('SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname', {
      signal,
    })
    for (const row of rows) yield { externalName: String(row['datname']), forProvider: {} }
  },
})

/** The owner's login, when the owner is a managed role that may log in; otherwise that of the ProviderConfig is not given away. */
function ownerLogin(
  context: KindContext<PostgresClient, Spec>,
): { readonly username: string; readonly password: string } | undefined {
  const owner = context.related('owner')
  const password = owner?.connection?.['password']
  return owner === undefined || password === undefined ? undefined : { username: owner.externalName, password }
}

const OBSERVE = `
  SELECT d.oid::int8 AS oid, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate::text AS locale,
         d.datconnlimit, d.datallowconn, shobj_description(d.oid, 'pg_database') AS comment
    FROM pg_database d WHERE d.datname = $1`

/** What a server leaves behind when it was killed in the middle of DROP DATABASE: the contents are lost, only a drop is possible. */
const DROP_INTERRUPTED = -2

async function observe(context: KindContext<PostgresClient, Spec>): Promise<Observation<State>> {
  const { client, externalName, signal } = context
  const [row] = await client.query(OBSERVE, { values: [externalName], signal })
  if (row === undefined) return await observeAbsent(context)
  const interrupted = Number(row['datconnlimit']) === DROP_INTERRUPTED
  if (interrupted && !context.deleting) {
    return {
      state: 'unknown',
      reason: 'DropInterrupted',
      message: `A DROP DATABASE was interrupted and the contents are lost. Run DROP DATABASE ${identifier(externalName)}, or delete this object.`,
    }
  }
  const allowConnections = row['datallowconn'] === true && !interrupted
  const notEmpty =
    context.owned && context.deleting && !interrupted ? await contents(context, allowConnections) : undefined
  return {
    state: 'present',
    mark: markOf(textOf(row['comment'])),
    ...(notEmpty === undefined ? {} : { notEmpty }),
    atProvider: {
      owner: String(row['owner']),
      encoding: String(row['encoding']),
      locale: String(row['locale']),
      connectionLimit: Number(row['datconnlimit']),
      allowConnections,
      ...(allowConnections && context.owned ? await wantedExtensions(context) : {}),
      oid: Number(row['oid']),
    },
  }
}

/** Under its name it is not there; what we made may have been given another one. That one is left alone, whatever happens. */
async function observeAbsent(context: KindContext<PostgresClient, Spec>): Promise<Observation<State>> {
  const oid = context.recorded?.['oid']
  if (!context.owned || context.deleting || typeof oid !== 'number') return { state: 'absent' }
  const [row] = await context.client.query(
    `SELECT datname::text AS name, shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE oid = $1`,
    { values: [oid], signal: context.signal },
  )
  const mark = markOf(textOf(row?.['comment']))
  if (mark?.hub !== context.mark.hub || mark.uid !== context.mark.uid) return { state: 'absent' }
  return renamed('DATABASE', { from: context.externalName, to: String(row?.['name']) })
}

/** Those of the wanted extensions that are installed; nothing is known of them while nobody may enter. */
async function wantedExtensions(
  context: KindContext<PostgresClient, Spec>,
): Promise<{ readonly extensions?: readonly string[] }> {
  const wanted = context.desired.extensions ?? []
  if (wanted.length === 0) return {}
  const [row] = await context.client.query('SELECT ARRAY(SELECT extname::text FROM pg_extension ORDER BY 1) AS names', {
    database: context.externalName,
    signal: context.signal,
  })
  return { extensions: listOf(row?.['names']).filter((name) => wanted.includes(name)) }
}

const CONTENTS = `
  SELECT count(*)::int AS tables FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')`

async function contents(
  context: KindContext<PostgresClient, Spec>,
  allowConnections: boolean,
): Promise<string | undefined> {
  if (context.forceDestroy) return undefined
  if (!allowConnections) return 'what cannot be seen while it does not allow connections'
  const [row] = await context.client.query(CONTENTS, { database: context.externalName, signal: context.signal })
  const tables = Number(row?.['tables'] ?? 0)
  return tables === 0 ? undefined : `${tables} ${tables === 1 ? 'table' : 'tables'}`
}

async function serverVersion(context: KindContext<PostgresClient, Spec>): Promise<number> {
  const [row] = await context.client.query(`SELECT current_setting('server_version_num')::int AS version`, {
    signal: context.signal,
  })
  return Number(row?.['version'] ?? 0)
}

function createStatement(context: EffectContext<PostgresClient, Spec>): string {
  const { desired, externalName } = context
  const template =
    desired.template ?? (desired.encoding === undefined && desired.locale === undefined ? undefined : 'template0')
  return [
    `CREATE DATABASE ${identifier(externalName)}`,
    ...(desired.owner === undefined ? [] : [`OWNER ${identifier(desired.owner)}`]),
    ...(template === undefined ? [] : [`TEMPLATE ${identifier(template)}`]),
    ...(desired.encoding === undefined ? [] : [`ENCODING ${literal(desired.encoding)}`]),
    ...(desired.locale === undefined
      ? []
      : [`LC_COLLATE ${literal(desired.locale)} LC_CTYPE ${literal(desired.locale)}`]),
    `ALLOW_CONNECTIONS ${desired.allowConnections} CONNECTION LIMIT ${desired.connectionLimit}`,
  ].join(' ')
}

async function alterStatements(context: EffectContext<PostgresClient, Spec>): Promise<string> {
  const { client, desired, externalName, changed, mark, signal } = context
  const name = identifier(externalName)
  const [row] = await client.query(
    `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`,
    { values: [externalName], signal },
  )
  const statements = [
    ...(changed.includes('owner') && desired.owner !== undefined
      ? [`ALTER DATABASE ${name} OWNER TO ${identifier(desired.owner)}`]
      : []),
    ...(changed.includes('connectionLimit')
      ? [`ALTER DATABASE ${name} CONNECTION LIMIT ${desired.connectionLimit}`]
      : []),
    ...(changed.includes('allowConnections')
      ? [`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${desired.allowConnections}`]
      : []),
    `COMMENT ON DATABASE ${name} IS ${literal(commentWithMark(textOf(row?.['comment']), mark))}`,
  ]
  return statements.join('; ')
}

function extensionStatements(context: EffectContext<PostgresClient, Spec>): string {
  const installed = listOf(context.observed?.['extensions'])
  return (context.desired.extensions ?? [])
    .filter((name) => !installed.includes(name))
    .map((name) => `CREATE EXTENSION IF NOT EXISTS ${identifier(name)} CASCADE`)
    .join('; ')
}

/** The server's spelling of a character set. Throws `ExternalError` for one it certainly does not know. */
function encodingName(name: string): string {
  const plain = name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '')
  if (plain === '')
    throw new ExternalError({
      class: 'user',
      reason: 'InvalidEncoding',
      message: `spec.forProvider.encoding ${name} is not a character set.`,
    })
  return plain === 'UNICODE' ? 'UTF8' : plain
}
