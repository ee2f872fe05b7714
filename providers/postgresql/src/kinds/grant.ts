import type { TypeOf } from '@orrery/api'
import { array, boolean, object, oneOf, optional, string, withDefault } from '@orrery/api'
import type { EffectContext, EffectResult, KindContext, Observation } from '@orrery/provider'
import { defineKind } from '@orrery/provider'
import type { PostgresClient, Row } from '../client.ts'
import { FENCED, fence } from './effects.ts'
import type { GrantTarget } from './grant-sql.ts'
import {
  grantName,
  grantStatements,
  normalizePrivileges,
  OBJECT_TYPES,
  observeQuery,
  revokeStatements,
} from './grant-sql.ts'
import { absentWithDatabase } from './in-database.ts'
import { listOf } from './rows.ts'

const immutable = { 'x-orrery-immutable': true } as const
const name = (description: string) => string({ minLength: 1, maxLength: 63, ...immutable, description })

const forProvider = object({
  role: name('Role that receives the privileges.'),
  database: name('Database they apply to, or that contains what they apply to.'),
  objectType: withDefault(
    oneOf(OBJECT_TYPES, { ...immutable, description: 'What the privileges are on.' }),
    'database',
  ),
  schema: optional(name('Schema, for every type but database.')),
  objects: optional(
    array(string({ minLength: 1 }), {
      'x-kubernetes-list-type': 'set',
      ...immutable,
      description:
        'Names in the schema; default all that are there. Functions with their argument types, e.g. f(integer).',
    }),
  ),
  owner: optional(name('For default privileges: whose future objects; default the role of the ProviderConfig.')),
  privileges: array(string({ minLength: 1 }), {
    minItems: 1,
    'x-kubernetes-list-type': 'set',
    description: 'E.g. CONNECT, or ALL.',
  }),
  grantOption: withDefault(boolean({ description: 'The role may pass the privileges on.' }), false),
})
const atProvider = object({
  role: string(),
  database: string(),
  privileges: array(string(), { 'x-kubernetes-list-type': 'set' }),
  grantOption: boolean(),
})

type Spec = TypeOf<typeof forProvider>
type State = TypeOf<typeof atProvider>

/**
 * Privileges of one role on one thing. It has no name of its own: the external name spells role and thing. The
 * privileges listed are all that the role holds there; others are revoked. What an owner holds on its own things is
 * inherent and never taken away.
 */
export const grant = defineKind<PostgresClient>()({
  kind: 'Grant',
  plural: 'grants',
  shortNames: ['pggrant'],
  description: 'Privileges of a role on a database, a schema, or what is in a schema.',
  forProvider,
  atProvider,
  dataBearing: false,
  references: {
    role: { to: 'Role', required: true },
    database: { to: 'Database', required: true },
    owner: { to: 'Role' },
  },
  defaultExternalName: ({ desired }) => grantName(targetOf(desired)),
  safety: FENCED,
  maxLateExecutionMs: 0,
  fence,
  normalize: (desired) => ({ ...desired, privileges: normalizePrivileges(desired.objectType, desired.privileges) }),
  observe: async (context) => await absentWithDatabase(async () => await observe(context)),
  create: async (context) => await apply(context, 'Granting'),
  update: async (context) => await apply(context, 'Changing'),
  async delete(context) {
    const { client, desired } = context
    await client.mutate(revokeStatements(targetOf(desired), listOf(context.observed?.['privileges'])), {
      ...context,
      database: desired.database,
      doing: `Revoking privileges of ${desired.role}`,
    })
    return { state: 'done' }
  },
})

async function apply(context: EffectContext<PostgresClient, Spec>, doing: string): Promise<EffectResult> {
  const { client, desired } = context
  const held = listOf(context.observed?.['privileges'])
  await client.mutate(grantStatements(targetOf(desired), { wanted: desired.privileges, held }), {
    ...context,
    database: desired.database,
    doing: `${doing} privileges of ${desired.role}`,
  })
  return { state: 'done' }
}

function targetOf(desired: Spec): GrantTarget {
  return {
    role: desired.role,
    database: desired.database,
    objectType: desired.objectType,
    schema: desired.schema,
    objects: desired.objects,
    owner: desired.owner,
    grantOption: desired.grantOption,
  }
}

async function observe(context: KindContext<PostgresClient, Spec>): Promise<Observation<State>> {
  const { client, desired, signal, owned, deleting } = context
  const query = observeQuery(targetOf(desired))
  const found = await client.query(query.sql, { values: query.values, database: desired.database, signal })
  // An owner's own privileges count once we look after them; before and after, they are no grant of anybody's.
  const rows = owned && !deleting ? found : found.filter((row) => row['inherent'] !== true)
  if (rows.length === 0) {
    // Nothing is there to grant on: nothing can be made, broken or revoked until there is.
    const complete = present(desired, { privileges: desired.privileges, grantOption: desired.grantOption })
    return owned && !deleting && hasMembers(desired) ? complete : { state: 'absent' }
  }
  const held = rows.map((row) => listOf(row['held']))
  const granted = rows.filter((row) => row['inherent'] !== true)
  const any = [...new Set(granted.flatMap((row) => listOf(row['held'])))]
  if (granted.length === rows.length && any.length === 0) return { state: 'absent' }
  const everywhere = desired.privileges.filter((privilege) => held.every((each) => each.includes(privilege)))
  const excess = any.filter((privilege) => !desired.privileges.includes(privilege))
  return present(desired, {
    privileges: [...everywhere, ...excess].toSorted(),
    grantOption: grantOption(desired, granted),
  })
}

// A schema may have no tables yet; the grant then waits for the first.
const hasMembers = (desired: Spec) =>
  desired.objectType === 'table' || desired.objectType === 'sequence' || desired.objectType === 'function'

function present(desired: Spec, state: Pick<State, 'privileges' | 'grantOption'>): Observation<State> {
  return { state: 'present', atProvider: { role: desired.role, database: desired.database, ...state } }
}

/** What is desired when it holds everywhere, the opposite when it does not. */
function grantOption(desired: Spec, rows: readonly Row[]): boolean {
  const agrees = rows.every((row) => {
    const grantable = listOf(row['grantable'])
    return desired.privileges.every(
      (privilege) => !listOf(row['held']).includes(privilege) || grantable.includes(privilege) === desired.grantOption,
    )
  })
  return agrees ? desired.grantOption : !desired.grantOption
}
