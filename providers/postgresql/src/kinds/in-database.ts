import type { KindContext, Observation } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'
import type { PostgresClient } from '../client.ts'
import { sqlState } from '../errors.ts'

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
