import type { EffectContext, EffectResult, KindContext, Observation, OwnershipMark } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'
import type { PostgresClient } from '../client.ts'
import { sqlState } from '../errors.ts'
import { commentWithMark, identifier, literal } from '../sql.ts'
import { textOf } from './rows.ts'

/** Things that live in one database have the external name `<database>/<name>`. A slash in a name is doubled. */
export function nameInDatabase(database: string, name: string): string {
  return `${database.replaceAll('/', '//')}/${name.replaceAll('/', '//')}`
}

export function inDatabase(externalName: string): { readonly database: string; readonly name: string } {
  // The separator is the first slash that is not doubled.
  const match = /^((?:[^/]|\/\/)*)\/((?:[^/]|\/\/)*)$/.exec(externalName)
  const [, database, name] = match ?? []
  if (database === undefined || name === undefined) {
    throw new ExternalError({
      class: 'user',
      reason: 'InvalidExternalName',
      message: `The external name ${externalName} must be <database>/<name>.`,
    })
  }
  return { database: database.replaceAll('//', '/'), name: name.replaceAll('//', '/') }
}

const NO_SUCH_DATABASE = '3D000'

/** What is in a database that provably does not exist does not exist. */
export async function absentWithDatabase<State>(
  observe: () => Promise<Observation<State>>,
): Promise<Observation<State>> {
  try {
    return await observe()
  } catch (error) {
    if (error instanceof ExternalError && sqlState(error.cause) === NO_SUCH_DATABASE) return { state: 'absent' }
    throw error
  }
}

/** Observes a thing whose external name is `<database>/<name>`. */
export async function withDatabase<Spec, State>(
  context: KindContext<PostgresClient, Spec>,
  observe: (
    context: KindContext<PostgresClient, Spec>,
    at: { readonly database: string; readonly name: string },
  ) => Promise<Observation<State>>,
): Promise<Observation<State>> {
  return await absentWithDatabase(async () => await observe(context, inDatabase(context.externalName)))
}

/** In what the catalogues of things in a database differ. */
export interface CatalogueEntry {
  /** As in `DROP SCHEMA`. */
  readonly keyword: 'SCHEMA' | 'EXTENSION'
  readonly catalogue: 'pg_namespace' | 'pg_extension'
  readonly nameColumn: 'nspname' | 'extname'
}

type InDatabase = EffectContext<PostgresClient, { readonly database: string }>

/** What the effects on things in a database have in common: where they run, how they are marked and dropped. */
export function effectsInDatabase(entry: CatalogueEntry) {
  const word = entry.keyword.toLowerCase()
  const mutate = async (context: InDatabase, doing: string, sql: string): Promise<EffectResult> => {
    const { database } = inDatabase(context.externalName)
    await context.client.mutate(sql, { ...context, database, doing: `${doing} ${word} ${context.externalName}` })
    return { state: 'done' }
  }
  const comment = (name: string, text: string | null, mark: OwnershipMark) =>
    `COMMENT ON ${entry.keyword} ${identifier(name)} IS ${literal(commentWithMark(text, mark))}`
  return {
    create: async (context: InDatabase, sql: string) => await mutate(context, 'Creating', sql),
    comment,
    /** The changes, and the mark at the end of whatever people wrote into the comment, in one transaction. */
    async update(context: InDatabase, changes: readonly string[]): Promise<EffectResult> {
      const { database, name } = inDatabase(context.externalName)
      const [row] = await context.client.query(
        `SELECT obj_description(oid, '${entry.catalogue}') AS comment FROM ${entry.catalogue} WHERE ${entry.nameColumn} = $1`,
        { values: [name], database, signal: context.signal },
      )
      const statements = [...changes, comment(name, textOf(row?.['comment']), context.mark)]
      return await mutate(context, 'Changing', statements.join('; '))
    },
    async drop(context: InDatabase): Promise<EffectResult> {
      const { name } = inDatabase(context.externalName)
      const cascade = context.forceDestroy ? ' CASCADE' : ''
      return await mutate(context, 'Dropping', `DROP ${entry.keyword} ${identifier(name)}${cascade}`)
    },
  }
}
