import { ExternalError } from '@orrery/provider'
import { identifier } from '../sql.ts'

/** The SQL of privileges: on what, which, and how they are read back. */

export const OBJECT_TYPES = [
  'database',
  'schema',
  'table',
  'sequence',
  'function',
  'defaultTables',
  'defaultSequences',
  'defaultFunctions',
] as const
export type ObjectType = (typeof OBJECT_TYPES)[number]

export interface GrantTarget {
  readonly role: string
  readonly database: string
  readonly objectType: ObjectType
  readonly schema: string | undefined
  readonly objects: readonly string[] | undefined
  readonly owner: string | undefined
  readonly grantOption: boolean
}

/** Most objects of one grant that are looked at. */
const MAX_OBJECTS = 10_000

// ALL means these; MAINTAIN, which came with version 17, has to be named.
const TABLE = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']
const SEQUENCE = ['USAGE', 'SELECT', 'UPDATE']
const PRIVILEGES: Readonly<Record<ObjectType, readonly string[]>> = {
  database: ['CREATE', 'CONNECT', 'TEMPORARY'],
  schema: ['CREATE', 'USAGE'],
  table: TABLE,
  sequence: SEQUENCE,
  function: ['EXECUTE'],
  defaultTables: TABLE,
  defaultSequences: SEQUENCE,
  defaultFunctions: ['EXECUTE'],
}

/** Upper case, `ALL` and `TEMP` spelled out, each once, sorted. Throws `ExternalError` for what does not exist on the type. */
export function normalizePrivileges(type: ObjectType, privileges: readonly string[]): readonly string[] {
  const known = PRIVILEGES[type]
  const spelled = privileges.flatMap((given) => {
    const name = given.toUpperCase().trim()
    if (name === 'ALL' || name === 'ALL PRIVILEGES') return known
    return [name === 'TEMP' ? 'TEMPORARY' : name]
  })
  const maintain = type === 'table' || type === 'defaultTables'
  const wrong = spelled.find((name) => !known.includes(name) && !(maintain && name === 'MAINTAIN'))
  if (wrong !== undefined) {
    throw new ExternalError({
      class: 'user',
      reason: 'InvalidPrivilege',
      message: `spec.forProvider.privileges: ${wrong} does not exist on a ${type}; use ${known.join(', ')} or ALL.`,
    })
  }
  return [...new Set(spelled)].toSorted()
}

/** The external name: role and thing. Different targets have different names; the last `@` ends the role. */
export function grantName(target: GrantTarget): string {
  const { objectType, schema, objects, owner } = target
  const plain = (part: string) => part.replaceAll(/[/:@,=%]/g, encodeURIComponent)
  const parts = [
    plain(target.database),
    objectType,
    ...(schema === undefined ? [] : [plain(schema)]),
    ...(owner === undefined ? [] : [`owner=${plain(owner)}`]),
    ...(objects === undefined ? [] : [objects.toSorted().map(plain).join(',')]),
  ]
  return `${target.role}@${parts.join('/')}`
}

export function grantStatements(
  target: GrantTarget,
  change: { readonly wanted: readonly string[]; readonly held: readonly string[] },
): string {
  const role = identifier(target.role)
  const excess = change.held.filter((privilege) => !change.wanted.includes(privilege))
  const option = target.grantOption ? ' WITH GRANT OPTION' : ''
  if (isDefault(target.objectType)) {
    const clause = defaultClause(target)
    return [
      ...(excess.length === 0
        ? []
        : [`${clause} REVOKE ${excess.join(', ')} ON ${defaultObjects(target)} FROM ${role}`]),
      `${clause} GRANT ${change.wanted.join(', ')} ON ${defaultObjects(target)} TO ${role}${option}`,
      ...(target.grantOption
        ? []
        : [`${clause} REVOKE GRANT OPTION FOR ${change.wanted.join(', ')} ON ${defaultObjects(target)} FROM ${role}`]),
    ].join('; ')
  }
  const on = objectClause(target)
  return [
    ...(excess.length === 0 ? [] : [`REVOKE ${excess.join(', ')} ON ${on} FROM ${role}`]),
    `GRANT ${change.wanted.join(', ')} ON ${on} TO ${role}${option}`,
    ...(target.grantOption ? [] : [`REVOKE GRANT OPTION FOR ${change.wanted.join(', ')} ON ${on} FROM ${role}`]),
  ].join('; ')
}

export function revokeStatements(target: GrantTarget, held: readonly string[]): string {
  const role = identifier(target.role)
  const privileges = held.length === 0 ? 'ALL' : held.join(', ')
  return isDefault(target.objectType)
    ? `${defaultClause(target)} REVOKE ${privileges} ON ${defaultObjects(target)} FROM ${role}`
    : `REVOKE ${privileges} ON ${objectClause(target)} FROM ${role}`
}

const isDefault = (type: ObjectType) =>
  type === 'defaultTables' || type === 'defaultSequences' || type === 'defaultFunctions'

function defaultClause(target: GrantTarget): string {
  const forRole = target.owner === undefined ? '' : ` FOR ROLE ${identifier(target.owner)}`
  const inSchema = target.schema === undefined ? '' : ` IN SCHEMA ${identifier(target.schema)}`
  return `ALTER DEFAULT PRIVILEGES${forRole}${inSchema}`
}

function defaultObjects(target: GrantTarget): string {
  if (target.objectType === 'defaultSequences') return 'SEQUENCES'
  return target.objectType === 'defaultFunctions' ? 'ROUTINES' : 'TABLES'
}

function objectClause(target: GrantTarget): string {
  if (target.objectType === 'database') return `DATABASE ${identifier(target.database)}`
  const schema = identifier(schemaOf(target))
  if (target.objectType === 'schema') return `SCHEMA ${schema}`
  const word = { table: 'TABLE', sequence: 'SEQUENCE', function: 'ROUTINE' }[
    target.objectType === 'sequence' || target.objectType === 'function' ? target.objectType : 'table'
  ]
  if (target.objects === undefined) return `ALL ${word}S IN SCHEMA ${schema}`
  const names = target.objects.map((name) =>
    target.objectType === 'function' ? routine(schema, name) : `${schema}.${identifier(name)}`,
  )
  return `${word} ${names.join(', ')}`
}

function schemaOf(target: GrantTarget): string {
  if (target.schema !== undefined) return target.schema
  throw new ExternalError({
    class: 'user',
    reason: 'SchemaRequired',
    message: `spec.forProvider.schema is required for objectType ${target.objectType}.`,
  })
}

// Argument types cannot be quoted as one identifier, so only what a type name is made of may stand there.
function routine(schema: string, signature: string): string {
  const match = /^([^()]+)\(([A-Za-z0-9_ ,.[\]]*)\)$/.exec(signature)
  const [, name, types] = match ?? []
  if (name === undefined || types === undefined) {
    throw new ExternalError({
      class: 'user',
      reason: 'InvalidFunction',
      message: `spec.forProvider.objects: ${signature} must be name(type, …).`,
    })
  }
  return `${schema}.${identifier(name)}(${types})`
}

/** Values for {@link observeQuery}: role, database or schema, names, owner. */
export interface ObserveQuery {
  readonly sql: string
  readonly values: readonly unknown[]
}

const acl = (
  from: string,
  columns: { readonly acl: string; readonly owner: string; readonly type: string; readonly name: string },
  where: string,
) => `
  SELECT ${columns.name} AS name, (${columns.owner} = r.oid) AS inherent,
         ARRAY(SELECT a.privilege_type FROM aclexplode(coalesce(${columns.acl}, acldefault('${columns.type}', ${columns.owner}))) a WHERE a.grantee = r.oid ORDER BY 1) AS held,
         ARRAY(SELECT a.privilege_type FROM aclexplode(coalesce(${columns.acl}, acldefault('${columns.type}', ${columns.owner}))) a WHERE a.grantee = r.oid AND a.is_grantable ORDER BY 1) AS grantable
    FROM pg_roles r, ${from} WHERE r.rolname = $1 AND ${where} LIMIT ${MAX_OBJECTS}`

/** One row per object: `name`, `inherent` (the role owns it), `held`, `grantable`. */
export function observeQuery(target: GrantTarget): ObserveQuery {
  const { role, objectType } = target
  if (objectType === 'database') {
    return {
      sql: acl('pg_database o', { acl: 'o.datacl', owner: 'o.datdba', type: 'd', name: 'o.datname' }, 'o.datname = $2'),
      values: [role, target.database],
    }
  }
  if (isDefault(objectType)) return observeDefaults(target)
  const schema = schemaOf(target)
  if (objectType === 'schema') {
    return {
      sql: acl(
        'pg_namespace o',
        { acl: 'o.nspacl', owner: 'o.nspowner', type: 'n', name: 'o.nspname' },
        'o.nspname = $2',
      ),
      values: [role, schema],
    }
  }
  const values = [role, schema, target.objects ?? null]
  if (objectType === 'function') {
    const name = `o.proname || '(' || pg_get_function_identity_arguments(o.oid) || ')'`
    return {
      sql: acl(
        'pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace',
        { acl: 'o.proacl', owner: 'o.proowner', type: 'f', name },
        `n.nspname = $2 AND ($3::text[] IS NULL OR o.oid = ANY (SELECT to_regprocedure(quote_ident($2) || '.' || f)::oid FROM unnest($3::text[]) f))`,
      ),
      values,
    }
  }
  const relations = objectType === 'sequence' ? `o.relkind = 'S'` : `o.relkind IN ('r', 'p', 'v', 'm', 'f')`
  return {
    sql: acl(
      'pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace',
      { acl: 'o.relacl', owner: 'o.relowner', type: objectType === 'sequence' ? 's' : 'r', name: 'o.relname' },
      `n.nspname = $2 AND ${relations} AND ($3::text[] IS NULL OR o.relname = ANY ($3::text[]))`,
    ),
    values,
  }
}

function observeDefaults(target: GrantTarget): ObserveQuery {
  const type = { SEQUENCES: 'S', ROUTINES: 'f', TABLES: 'r' }[defaultObjects(target)] ?? 'r'
  return {
    sql: `
      SELECT 'default' AS name, false AS inherent,
             ARRAY(SELECT a.privilege_type FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
                    WHERE d.defaclobjtype = $2 AND d.defaclrole = o.oid AND n.nspname IS NOT DISTINCT FROM $4 AND a.grantee = r.oid ORDER BY 1) AS held,
             ARRAY(SELECT a.privilege_type FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
                    WHERE d.defaclobjtype = $2 AND d.defaclrole = o.oid AND n.nspname IS NOT DISTINCT FROM $4 AND a.grantee = r.oid AND a.is_grantable ORDER BY 1) AS grantable
        FROM pg_roles r, pg_roles o WHERE r.rolname = $1 AND o.rolname = coalesce($3, current_user)`,
    values: [target.role, type, target.owner ?? null, target.schema ?? null],
  }
}
