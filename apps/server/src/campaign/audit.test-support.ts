import assert from 'node:assert/strict'
import { configMaps, secrets } from '@orrery/api'
import type { Client } from '@orrery/client'
import type { ManagedObject } from '@orrery/provider'
import type { SqlTarget } from '@orrery/testing/postgres'
import { eventually, isSettled, runSql } from '@orrery/testing/postgres'
import type { Promised } from './workload.test-support.ts'
import { KINDS, keyOf, NAMESPACE } from './workload.test-support.ts'

/** What must be true once nothing is killed any more. */

const APP = /^app-/
const TRIPLE = ['Role', 'Database', 'Grant'] as const

/** What has not come to rest yet, for people: empty when everything has. */
export async function unsettled(client: Client, ledger: ReadonlyMap<string, Promised>): Promise<readonly string[]> {
  const waiting: string[] = []
  for (const kind of TRIPLE) {
    const { items } = await client.listAll(KINDS[kind], { namespace: NAMESPACE })
    for (const object of items.filter(({ metadata }) => APP.test(metadata.name))) {
      const wanted = ledger.get(object.metadata.name)?.state === 'present'
      if (!wanted || !isSettled(object)) waiting.push(`${kind} ${object.metadata.name}: ${describe(object)}`)
    }
  }
  return waiting
}

function describe({ metadata, status }: ManagedObject): string {
  const conditions = status?.conditions?.map(
    ({ type, status: is, reason, message }) => `${type}=${is} ${reason} ${message}`,
  )
  const attempt = status?.attempt === undefined ? '' : ` attempt ${JSON.stringify(status.attempt)}`
  return `${metadata.deletionTimestamp === undefined ? '' : 'deleting; '}${conditions?.join('; ') ?? 'no status'}${attempt}`
}

/** Compares the API with the ledger, and the server with the API: nothing lost, doubled or left over. */
export async function audit(
  client: Client,
  superuser: SqlTarget,
  ledger: ReadonlyMap<string, Promised>,
): Promise<void> {
  const present = [...ledger].filter(([, { state }]) => state === 'present').toSorted(([a], [b]) => (a < b ? -1 : 1))
  const names = present.map(([name]) => name)
  const objects = new Map<string, readonly ManagedObject[]>()
  for (const kind of TRIPLE) {
    const { items } = await client.listAll(KINDS[kind], { namespace: NAMESPACE })
    const apps = items.filter(({ metadata }) => APP.test(metadata.name))
    objects.set(kind, apps)
    assert.deepEqual(
      apps.map(({ metadata }) => metadata.name).toSorted(),
      names,
      `${kind} objects and what was acknowledged`,
    )
    for (const { status, metadata } of apps)
      assert.equal(status?.attempt, undefined, `${kind} ${metadata.name} has an open attempt`)
  }
  await auditServer(superuser, { present, objects })
  // Whoever collects garbage there looks for new kinds every 30 s, and for what it could not judge later still.
  await eventually(async () => await auditRemains(client, names), { withinMs: 120_000 })
}

async function auditServer(
  superuser: SqlTarget,
  wanted: {
    readonly present: readonly (readonly [string, Promised])[]
    readonly objects: ReadonlyMap<string, readonly ManagedObject[]>
  },
): Promise<void> {
  const uid = (kind: string, name: string) =>
    wanted.objects.get(kind)?.find(({ metadata }) => metadata.name === name)?.metadata.uid
  const mark = `substring(shobj_description(oid, CATALOG) from 'uid=([0-9a-f-]+)') AS uid`
  assert.deepEqual(
    await runSql(
      superuser,
      `SELECT datname::text AS name, pg_get_userbyid(datdba)::text AS owner, ${mark.replace('CATALOG', "'pg_database'")},
              has_database_privilege('reader', datname, 'CONNECT') AND datacl::text ~ 'reader=c/' AS granted
         FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY datname`,
    ),
    wanted.present.map(([name]) => ({ name, owner: name, uid: uid('Database', name), granted: true })),
    'databases of the server',
  )
  assert.deepEqual(
    await runSql(
      superuser,
      `SELECT rolname::text AS name, rolconnlimit AS "connectionLimit", ${mark.replace('CATALOG', "'pg_authid'")}
         FROM pg_roles WHERE rolname !~ '^pg_' AND rolname NOT IN ('postgres', 'reader') ORDER BY rolname`,
    ),
    wanted.present.map(([name, { connectionLimit }]) => ({ name, connectionLimit, uid: uid('Role', name) })),
    'roles of the server',
  )
  const strays = await runSql(
    superuser,
    `SELECT pid, query FROM pg_stat_activity WHERE application_name LIKE 'orrery:%' AND state <> 'idle'`,
  )
  assert.deepEqual(strays, [], 'statements that still run')
}

/** Claims and generated passwords of what was deleted must be gone, too. */
async function auditRemains(client: Client, names: readonly string[]): Promise<void> {
  const claims = await client.listAll(configMaps, { namespace: 'orrery-system' })
  const claimed = claims.items.flatMap(({ data }) =>
    APP.test(data?.['name'] ?? '') ? [`${data?.['kind']} ${data?.['name']}`] : [],
  )
  const expected = names.flatMap((name) => TRIPLE.map((kind) => `postgresql.orrery.dev/${kind} ${name}`))
  assert.deepEqual(claimed.toSorted(), expected.toSorted(), 'claims')
  const owned = await client.listAll(secrets, { namespace: NAMESPACE })
  const passwords = owned.items
    .map(({ metadata }) => metadata.name)
    .filter((name) => name.startsWith('orrery-roles-app-'))
  assert.deepEqual(
    passwords.toSorted(),
    names.map((name) => `orrery-roles-${name}`),
    'generated passwords',
  )
}

/** The superuser's way into the server of the instance. Undefined until it has been written. */
export async function superuserOf(client: Client): Promise<SqlTarget | undefined> {
  const found = await client.find(secrets, keyOf('pg-admin'))
  const value = (key: string) => Buffer.from(found?.data?.[key] ?? '', 'base64').toString()
  if (found === undefined) return undefined
  return {
    host: value('host'),
    port: Number(value('port')),
    database: value('database'),
    username: value('username'),
    password: value('password'),
  }
}
