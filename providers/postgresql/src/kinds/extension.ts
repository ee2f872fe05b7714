import type { TypeOf } from '@orrery/api'
import { object, optional, string } from '@orrery/api'
import type { KindContext, Observation } from '@orrery/provider'
import { defineKind } from '@orrery/provider'
import type { PostgresClient } from '../client.ts'
import { identifier, literal, markOf } from '../sql.ts'
import { FENCED, fence } from './effects.ts'
import { effectsInDatabase, inDatabase, nameInDatabase, withDatabase } from './in-database.ts'
import { textOf } from './rows.ts'

const forProvider = object({
  database: string({
    minLength: 1,
    maxLength: 63,
    'x-orrery-immutable': true,
    description: 'Database it is installed in.',
  }),
  version: optional(string({ minLength: 1, description: 'Version; default the newest that the server offers.' })),
  schema: optional(
    string({ minLength: 1, maxLength: 63, 'x-orrery-immutable': true, description: 'Schema of its objects.' }),
  ),
})
const atProvider = object({ database: string(), version: string(), schema: string() })

type Spec = TypeOf<typeof forProvider>
type State = TypeOf<typeof atProvider>

const effects = effectsInDatabase({ keyword: 'EXTENSION', catalogue: 'pg_extension', nameColumn: 'extname' })

/** External name: `<database>/<extension>`. */
export const extension = defineKind<PostgresClient>()({
  kind: 'Extension',
  plural: 'extensions',
  shortNames: ['pgext'],
  description: 'An extension installed in a PostgreSQL database.',
  forProvider,
  atProvider,
  dataBearing: true,
  references: { database: { to: 'Database', required: true } },
  defaultExternalName: ({ name, desired }) => nameInDatabase(desired.database, name),
  safety: FENCED,
  maxLateExecutionMs: 0,
  fence,
  observe: async (context) => await withDatabase(context, observe),
  async create(context) {
    const { name } = inDatabase(context.externalName)
    const { schema, version } = context.desired
    // The extension brings a comment of its own; the mark is added to it by the update that finds it missing.
    const statement = [
      `CREATE EXTENSION ${identifier(name)}`,
      ...(schema === undefined ? [] : [`SCHEMA ${identifier(schema)}`]),
      ...(version === undefined ? [] : [`VERSION ${literal(version)}`]),
      'CASCADE',
    ].join(' ')
    return await effects.create(context, statement)
  },
  async update(context) {
    const { name } = inDatabase(context.externalName)
    const { version } = context.desired
    const isVersion = version !== undefined && context.changed.includes('version')
    const changes = isVersion ? [`ALTER EXTENSION ${identifier(name)} UPDATE TO ${literal(version)}`] : []
    return await effects.update(context, changes)
  },
  delete: async (context) => await effects.drop(context),
})

const OBSERVE = `
  SELECT e.extversion AS version, n.nspname::text AS schema, obj_description(e.oid, 'pg_extension') AS comment
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = $1`

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
  return {
    state: 'present',
    mark: markOf(textOf(row['comment'])),
    atProvider: { database: at.database, version: String(row['version']), schema: String(row['schema']) },
  }
}
