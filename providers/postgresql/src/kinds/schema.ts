import type { TypeOf } from '@orrery/api'
import { object, optional, string } from '@orrery/api'
import type { KindContext, Observation } from '@orrery/provider'
import { defineKind } from '@orrery/provider'
import type { PostgresClient } from '../client.ts'
import { identifier, markOf } from '../sql.ts'
import { FENCED, fence } from './effects.ts'
import { effectsInDatabase, inDatabase, nameInDatabase, withDatabase } from './in-database.ts'
import { textOf } from './rows.ts'

const forProvider = object({
  database: string({ minLength: 1, maxLength: 63, 'x-orrery-immutable': true, description: 'Database it is in.' }),
  owner: optional(string({ minLength: 1, maxLength: 63, description: 'Role that owns it.' })),
})
const atProvider = object({ database: string(), owner: string(), oid: optional(string()) })

type Spec = TypeOf<typeof forProvider>
type State = TypeOf<typeof atProvider>

const effects = effectsInDatabase({ keyword: 'SCHEMA', catalogue: 'pg_namespace', nameColumn: 'nspname' })

/** External name: `<database>/<schema>`. */
export const schema = defineKind<PostgresClient>()({
  kind: 'Schema',
  plural: 'schemas',
  shortNames: ['pgschema'],
  description: 'A schema in a PostgreSQL database.',
  forProvider,
  atProvider,
  dataBearing: true,
  references: { database: { to: 'Database', required: true }, owner: { to: 'Role' } },
  defaultExternalName: ({ name, desired }) => nameInDatabase(desired.database, name),
  safety: FENCED,
  maxLateExecutionMs: 0,
  fence,
  observe: async (context) => await withDatabase(context, observe),
  async create(context) {
    const { name } = inDatabase(context.externalName)
    const owner = context.desired.owner === undefined ? '' : ` AUTHORIZATION ${identifier(context.desired.owner)}`
    const mark = effects.comment(name, null, context.mark)
    return await effects.create(context, `CREATE SCHEMA ${identifier(name)}${owner}; ${mark}`)
  },
  async update(context) {
    const { name } = inDatabase(context.externalName)
    const { owner } = context.desired
    const isOwner = owner !== undefined && context.changed.includes('owner')
    return await effects.update(
      context,
      isOwner ? [`ALTER SCHEMA ${identifier(name)} OWNER TO ${identifier(owner)}`] : [],
    )
  },
  delete: async (context) => await effects.drop(context),
})

const OBSERVE = `
  SELECT n.oid::text AS oid, pg_get_userbyid(n.nspowner) AS owner, obj_description(n.oid, 'pg_namespace') AS comment,
         (SELECT count(*)::int FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')) AS relations
    FROM pg_namespace n WHERE n.nspname = $1`

async function observe(
  context: KindContext<PostgresClient, Spec>,
  at: { readonly database: string; readonly name: string },
): Promise<Observation<State>> {
  const [row] = await context.client.query(OBSERVE, {
    values: [at.name],
    database: at.database,
    signal: context.signal,
  })
  if (row === undefined) return { state: 'absent' }
  const relations = Number(row['relations'])
  return {
    state: 'present',
    mark: markOf(textOf(row['comment'])),
    ...(relations === 0 ? {} : { notEmpty: `${relations} ${relations === 1 ? 'relation' : 'relations'}` }),
    atProvider: { database: at.database, owner: String(row['owner']), oid: String(row['oid']) },
  }
}
