import type { TypeOf } from '@orrery/api'
import { array, boolean, integer, map, object, optional, string, withDefault } from '@orrery/api'
import type { EffectContext, KindContext, Observation } from '@orrery/provider'
import { defineKind } from '@orrery/provider'
import type { PostgresClient, Row } from '../client.ts'
import { scramVerifier, verifies } from '../scram.ts'
import { commentWithMark, identifier, literal, markOf } from '../sql.ts'
import { FENCED, fence, renamed } from './effects.ts'
import { isRecord, listOf, parametersOf, textOf } from './rows.ts'
import { canonicalSettings, settingValue } from './settings.ts'

const forProvider = object({
  login: withDefault(
    boolean({ description: 'May log in. A password is generated unless passwordSecretRef names one.' }),
    true,
  ),
  superuser: withDefault(boolean(), false),
  createDatabase: withDefault(boolean(), false),
  createRole: withDefault(boolean(), false),
  inherit: withDefault(boolean(), true),
  replication: withDefault(boolean(), false),
  bypassRowLevelSecurity: withDefault(boolean(), false),
  connectionLimit: withDefault(integer({ minimum: -1, description: '-1 is unlimited.' }), -1),
  memberOf: optional(
    array(string({ minLength: 1, maxLength: 63 }), {
      'x-kubernetes-list-type': 'set',
      description: 'Roles whose privileges it has.',
    }),
  ),
  parameters: optional(map(string(), { description: 'Session defaults of the role, as ALTER ROLE … SET sets them.' })),
  passwordSecretRef: optional(
    object(
      { name: string({ minLength: 1 }), key: optional(string()) },
      { description: 'Secret in this namespace with the password; key defaults to password.' },
    ),
  ),
  passwordVersion: withDefault(integer({ minimum: 0, description: 'Raise it to have a new password generated.' }), 0),
})

const atProvider = object({
  login: boolean(),
  superuser: boolean(),
  createDatabase: boolean(),
  createRole: boolean(),
  inherit: boolean(),
  replication: boolean(),
  bypassRowLevelSecurity: boolean(),
  connectionLimit: integer(),
  memberOf: array(string()),
  parameters: map(string()),
  oid: integer({ format: 'int64' }),
})

type Spec = TypeOf<typeof forProvider>
type State = TypeOf<typeof atProvider>

const PASSWORD_LENGTH = 32

export const role = defineKind<PostgresClient>()({
  kind: 'Role',
  plural: 'roles',
  shortNames: ['pgrole'],
  description: 'A role of a PostgreSQL server: a user when it may log in, a group otherwise.',
  forProvider,
  atProvider,
  dataBearing: false,
  references: { memberOf: { to: 'Role', list: true, deleteBeforeTarget: false } },
  credentials: {
    password: {
      from: 'passwordSecretRef',
      key: 'password',
      generate: { length: PASSWORD_LENGTH },
      when: (desired) => desired.login,
      rotateOn: (desired) => String(desired.passwordVersion),
    },
  },
  safety: FENCED,
  maxLateExecutionMs: 0,
  fence,
  observe,
  normalize: (desired) =>
    desired.parameters === undefined ? desired : { ...desired, parameters: canonicalSettings(desired.parameters) },
  async create(context) {
    await context.client.mutate(`CREATE ROLE ${identifier(context.externalName)}; ${settings(context, undefined)}`, {
      ...context,
      doing: `Creating role ${context.externalName}`,
    })
    return { state: 'done' }
  },
  async update(context) {
    const comment = await readComment(context)
    await context.client.mutate(settings(context, comment), {
      ...context,
      doing: `Changing role ${context.externalName}`,
    })
    return { state: 'done' }
  },
  async delete(context) {
    await context.client.mutate(`DROP ROLE ${identifier(context.externalName)}`, {
      ...context,
      doing: `Dropping role ${context.externalName}`,
    })
    return { state: 'done' }
  },
  async probe(context) {
    const { password } = context.credentials
    if (!context.desired.login || password === undefined) return { state: 'ready' }
    const { database } = context.client.address
    const [may] = await context.client.query('SELECT has_database_privilege($1, $2, $3) AS may', {
      values: [context.externalName, database, 'CONNECT'],
      signal: context.signal,
    })
    // A role that may not enter the administrative database proves itself in the databases granted to it.
    if (may?.['may'] !== true) return { state: 'ready' }
    await context.client.login({ database, username: context.externalName, password }, context.signal)
    return { state: 'ready' }
  },
  connection(context) {
    const { password } = context.credentials
    if (!context.desired.login || password === undefined) return undefined
    const { host, port, database } = context.client.address
    return connectionValues({ host, port, database, username: context.externalName, password })
  },
  async *discover(client, { signal }) {
    const rows = await client.query(`SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname`, { signal })
    for (const row of rows) yield { externalName: String(row['rolname']), forProvider: {} }
  },
})

/** What clients expect in a connection Secret. */
export function connectionValues(to: {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly password: string
}): Readonly<Record<string, string>> {
  const host = to.host.includes(':') ? `[${to.host}]` : to.host
  const path = encodeURIComponent(to.database)
  const login = `${encodeURIComponent(to.username)}:${encodeURIComponent(to.password)}`
  return {
    host: to.host,
    port: String(to.port),
    database: to.database,
    username: to.username,
    password: to.password,
    uri: `postgresql://${login}@${host}:${to.port}/${path}`,
  }
}

const OBSERVE = `
  SELECT r.oid::int8 AS oid, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolinherit, r.rolcanlogin, r.rolreplication,
         r.rolbypassrls, r.rolconnlimit, shobj_description(r.oid, 'pg_authid') AS comment, s.setconfig,
         ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1) AS member_of,
         has_table_privilege('pg_authid', 'SELECT') AS sees_passwords
    FROM pg_roles r
    LEFT JOIN pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase = 0
   WHERE r.rolname = $1`

async function observe(context: KindContext<PostgresClient, Spec>): Promise<Observation<State>> {
  const [row] = await context.client.query(OBSERVE, { values: [context.externalName], signal: context.signal })
  if (row === undefined) return await observeAbsent(context)
  return {
    state: 'present',
    mark: markOf(textOf(row['comment'])),
    changed: (await passwordChanged(context, row)) ? ['password'] : [],
    atProvider: {
      login: row['rolcanlogin'] === true,
      superuser: row['rolsuper'] === true,
      createDatabase: row['rolcreatedb'] === true,
      createRole: row['rolcreaterole'] === true,
      inherit: row['rolinherit'] === true,
      replication: row['rolreplication'] === true,
      bypassRowLevelSecurity: row['rolbypassrls'] === true,
      connectionLimit: Number(row['rolconnlimit']),
      memberOf: listOf(row['member_of']),
      parameters: canonicalSettings(parametersOf(row['setconfig'])),
      oid: Number(row['oid']),
    },
  }
}

/** Under its name it is not there; what we made may have been given another one, and is left alone then. */
async function observeAbsent(context: KindContext<PostgresClient, Spec>): Promise<Observation<State>> {
  const oid = context.recorded?.['oid']
  if (!context.owned || context.deleting || typeof oid !== 'number') return { state: 'absent' }
  const [row] = await context.client.query(
    `SELECT rolname::text AS name, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE oid = $1`,
    { values: [oid], signal: context.signal },
  )
  const mark = markOf(textOf(row?.['comment']))
  if (mark?.hub !== context.mark.hub || mark.uid !== context.mark.uid) return { state: 'absent' }
  return renamed('ROLE', { from: context.externalName, to: String(row?.['name']) })
}

async function passwordChanged(context: KindContext<PostgresClient, Spec>, row: Row): Promise<boolean> {
  const { password } = context.credentials
  if (password === undefined || row['sees_passwords'] !== true) return false
  const [stored] = await context.client.query('SELECT rolpassword FROM pg_authid WHERE rolname = $1', {
    values: [context.externalName],
    signal: context.signal,
  })
  const verifier = textOf(stored?.['rolpassword'])
  return verifies(verifier, password) !== true
}

async function readComment(context: KindContext<PostgresClient, Spec>): Promise<string | null> {
  const [row] = await context.client.query(
    `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1`,
    {
      values: [context.externalName],
      signal: context.signal,
    },
  )
  return textOf(row?.['comment'])
}

/** One transaction that brings every attribute to its desired value. */
function settings(context: EffectContext<PostgresClient, Spec>, comment: string | null | undefined): string {
  const { desired, externalName, credentials, mark, observed } = context
  const name = identifier(externalName)
  const { password } = credentials
  const flag = (on: boolean, keyword: string) => (on ? keyword : `NO${keyword}`)
  const attributes = [
    flag(desired.login, 'LOGIN'),
    flag(desired.createDatabase, 'CREATEDB'),
    flag(desired.createRole, 'CREATEROLE'),
    flag(desired.inherit, 'INHERIT'),
    `CONNECTION LIMIT ${desired.connectionLimit}`,
    ...privileged(context, flag),
    ...(password === undefined ? [] : [`PASSWORD ${literal(scramVerifier(password, saltOf(context)))}`]),
  ]
  return [
    `ALTER ROLE ${name} ${attributes.join(' ')}`,
    ...membership(name, desired.memberOf, listOf(observed?.['memberOf'])),
    ...parameterChanges(name, desired.parameters, observed?.['parameters']),
    `COMMENT ON ROLE ${name} IS ${literal(commentWithMark(comment ?? null, mark))}`,
  ].join('; ')
}

// Naming these attributes at all takes a superuser, so they are named only when they have to change.
function privileged(
  context: EffectContext<PostgresClient, Spec>,
  flag: (on: boolean, keyword: string) => string,
): string[] {
  const { desired, observed } = context
  const changes: string[] = []
  if (desired.superuser !== (observed?.['superuser'] === true)) changes.push(flag(desired.superuser, 'SUPERUSER'))
  if (desired.replication !== (observed?.['replication'] === true))
    changes.push(flag(desired.replication, 'REPLICATION'))
  if (desired.bypassRowLevelSecurity !== (observed?.['bypassRowLevelSecurity'] === true)) {
    changes.push(flag(desired.bypassRowLevelSecurity, 'BYPASSRLS'))
  }
  return changes
}

// The salt need not be secret, only different for each password; the attempt's id is random.
const saltOf = (context: EffectContext<PostgresClient, Spec>) =>
  Buffer.from(context.attempt.id.replaceAll('-', ''), 'hex')

function membership(name: string, wanted: readonly string[] | undefined, actual: readonly string[]): string[] {
  if (wanted === undefined) return []
  return [
    ...wanted.filter((group) => !actual.includes(group)).map((group) => `GRANT ${identifier(group)} TO ${name}`),
    ...actual.filter((group) => !wanted.includes(group)).map((group) => `REVOKE ${identifier(group)} FROM ${name}`),
  ]
}

function parameterChanges(
  name: string,
  wanted: Readonly<Record<string, string>> | undefined,
  actual: unknown,
): string[] {
  const current = isRecord(actual) ? actual : {}
  return Object.entries(wanted ?? {})
    .filter(([key, value]) => current[key] !== value)
    .map(
      ([key, value]) =>
        `ALTER ROLE ${name} SET ${key.split('.').map(identifier).join('.')} = ${settingValue(key, value)}`,
    )
}
