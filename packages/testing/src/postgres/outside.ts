import type { Outside, Target } from '@orrery/provider/conformance'
import type { PostgresServer } from './server.ts'

/** Things of a PostgreSQL server as a DBA sees and changes them, for the conformance suite. */

type Place = Omit<Target, 'uid'>

/** What the DBA does for one kind. */
interface Hands {
  /** One row for each thing that exists for the object: its id, and what the object determines. */
  rows(server: PostgresServer, target: Target): Promise<readonly Found[]>
  remove(server: PostgresServer, target: Place): Promise<void>
  /** Changes the one field that cases let drift. */
  change(server: PostgresServer, target: Place): Promise<void>
  make(server: PostgresServer, place: Place): Promise<void>
  fill?(server: PostgresServer, place: Place, isFull: boolean): Promise<void>
}

interface Found {
  readonly id: string
  readonly digest: unknown
}

/** Roles and databases that cases refer to. */
export const NEEDED = {
  databaseOwner: 'database-owner',
  grantRole: 'grant-role',
  grantDatabase: 'grant-database',
  schemaDatabase: 'schema-database',
  schemaOwner: 'schema-owner',
  otherSchemaOwner: 'schema-other-owner',
} as const

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
/** By name, and by the mark of the object: a duplicate may have any name. */
const marked = (uid: string) => (uid === '' ? 'no mark' : `%uid=${uid}]`)

const role: Hands = {
  async rows(server, { externalName, uid }) {
    const rows = await server.query(
      `SELECT oid::text AS id, rolname::text AS name, rolconnlimit AS "limit", rolcreatedb AS createdb, rolcanlogin AS login
         FROM pg_roles WHERE rolname = $1 OR shobj_description(oid, 'pg_authid') LIKE $2`,
      { values: [externalName, marked(uid)] },
    )
    return rows.map(({ id, ...digest }) => ({ id: String(id), digest }))
  },
  async remove(server, { externalName }) {
    await server.query(`DROP ROLE IF EXISTS ${quoted(externalName)}`)
  },
  async change(server, { externalName }) {
    await server.query(`ALTER ROLE ${quoted(externalName)} CONNECTION LIMIT 99`)
  },
  async make(server, { externalName }) {
    await server.query(`CREATE ROLE ${quoted(externalName)} LOGIN CONNECTION LIMIT 5`)
  },
}

const database: Hands = {
  async rows(server, { externalName, uid }) {
    const rows = await server.query(
      `SELECT oid::text AS id, datname::text AS name, datconnlimit AS "limit", encoding, pg_get_userbyid(datdba)::text AS owner
         FROM pg_database WHERE datname = $1 OR shobj_description(oid, 'pg_database') LIKE $2`,
      { values: [externalName, marked(uid)] },
    )
    return rows.map(({ id, ...digest }) => ({ id: String(id), digest }))
  },
  async remove(server, { externalName }) {
    await server.query(`DROP DATABASE IF EXISTS ${quoted(externalName)} WITH (FORCE)`)
  },
  async change(server, { externalName }) {
    await server.query(`ALTER DATABASE ${quoted(externalName)} CONNECTION LIMIT 99`)
  },
  async make(server, { externalName }) {
    const owner = quoted(NEEDED.databaseOwner)
    await server.query(`CREATE DATABASE ${quoted(externalName)} OWNER ${owner} CONNECTION LIMIT 5`)
  },
  async fill(server, { externalName }, isFull) {
    await server.query(isFull ? 'CREATE TABLE kept ()' : 'DROP TABLE kept', { database: externalName })
  },
}

/** A grant is named by what it is: `<role>@<database>/database`. */
function grantOf({ externalName }: Place) {
  const [to = '', thing = ''] = externalName.split('@')
  return { to: quoted(to), on: thing.slice(0, thing.indexOf('/')) }
}

async function exists(server: PostgresServer, name: string): Promise<boolean> {
  return (await server.query('SELECT FROM pg_database WHERE datname = $1', { values: [name] })).length > 0
}

const grant: Hands = {
  async rows(server, target) {
    const { to, on } = grantOf(target)
    const [row] = await server.query(
      `SELECT array_agg(a.privilege_type ORDER BY 1) AS privileges
         FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = $1 AND a.grantee = to_regrole($2)`,
      { values: [on, to] },
    )
    return Array.isArray(row?.['privileges']) ? [{ id: 'grant', digest: row['privileges'] }] : []
  },
  async remove(server, target) {
    const { to, on } = grantOf(target)
    await server.query(`REVOKE ALL ON DATABASE ${quoted(on)} FROM ${to}`)
  },
  async change(server, target) {
    const { to, on } = grantOf(target)
    await server.query(`REVOKE CONNECT ON DATABASE ${quoted(on)} FROM ${to}`)
  },
  async make(server, place) {
    const { to, on } = grantOf(place)
    await server.query(`GRANT CONNECT, TEMPORARY ON DATABASE ${quoted(on)} TO ${to}`)
  },
}

/** The external name is `<database>/<schema>`. */
function schemaOf({ externalName }: Place) {
  const [home = '', name = ''] = externalName.split('/')
  return { name, in: { database: home } }
}

const schema: Hands = {
  async rows(server, target) {
    const place = schemaOf(target)
    if (!(await exists(server, place.in.database))) return []
    const rows = await server.query(
      `SELECT oid::text AS id, nspname::text AS name, pg_get_userbyid(nspowner)::text AS owner
         FROM pg_namespace WHERE nspname = $1 OR obj_description(oid, 'pg_namespace') LIKE $2`,
      { values: [place.name, marked(target.uid)], ...place.in },
    )
    return rows.map(({ id, ...digest }) => ({ id: String(id), digest }))
  },
  async remove(server, target) {
    const place = schemaOf(target)
    await server.query(`DROP SCHEMA IF EXISTS ${quoted(place.name)} CASCADE`, place.in)
  },
  async change(server, target) {
    const place = schemaOf(target)
    await server.query(`ALTER SCHEMA ${quoted(place.name)} OWNER TO postgres`, place.in)
  },
  async make(server, target) {
    const place = schemaOf(target)
    await server.query(`CREATE SCHEMA ${quoted(place.name)} AUTHORIZATION ${quoted(NEEDED.schemaOwner)}`, place.in)
  },
  async fill(server, target, isFull) {
    const place = schemaOf(target)
    const table = `${quoted(place.name)}.kept`
    await server.query(isFull ? `CREATE TABLE ${table} ()` : `DROP TABLE ${table}`, place.in)
  },
}

const hands = new Map<string, Hands>([
  ['Role', role],
  ['Database', database],
  ['Grant', grant],
  ['Schema', schema],
])

/** The server, past the provider. Throws for kinds that it knows no statements for. */
export function outsideOf(server: PostgresServer): Outside {
  const of = (kind: string): Hands => {
    const found = hands.get(kind)
    if (found === undefined) throw new Error(`There are no statements for ${kind}.`)
    return found
  }
  return {
    ids: async (target) => (await of(target.kind).rows(server, target)).map(({ id }) => id),
    digest: async (target) => (await of(target.kind).rows(server, target)).map((found) => found.digest),
    remove: async (target) => await of(target.kind).remove(server, target),
    change: async (target) => await of(target.kind).change(server, target),
    make: async (place) => await of(place.kind).make(server, place),
    fill: async (target, isFull) => await of(target.kind).fill?.(server, target, isFull),
  }
}
