import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExternalError } from '@orrery/provider'
import type { GrantTarget } from './grant-sql.ts'
import { grantName, grantStatements, normalizePrivileges, revokeStatements } from './grant-sql.ts'

const target = (given: Partial<GrantTarget>): GrantTarget => ({
  role: 'app',
  database: 'shop',
  objectType: 'database',
  schema: undefined,
  objects: undefined,
  owner: undefined,
  grantOption: true,
  ...given,
})

for (const { title, given, want } of [
  {
    title: 'database',
    given: {},
    want: 'GRANT CONNECT ON DATABASE "shop" TO "app" WITH GRANT OPTION',
  },
  {
    title: 'schema with a quote',
    given: { objectType: 'schema', schema: 'a"b' },
    want: 'GRANT CONNECT ON SCHEMA "a""b" TO "app" WITH GRANT OPTION',
  },
  {
    title: 'all tables',
    given: { objectType: 'table', schema: 's' },
    want: 'GRANT CONNECT ON ALL TABLES IN SCHEMA "s" TO "app" WITH GRANT OPTION',
  },
  {
    title: 'functions by signature',
    given: { objectType: 'function', schema: 's', objects: ['f(integer, text[])'] },
    want: 'GRANT CONNECT ON ROUTINE "s"."f"(integer, text[]) TO "app" WITH GRANT OPTION',
  },
  {
    title: 'defaults of an owner',
    given: { objectType: 'defaultTables', schema: 's', owner: 'o' },
    want: 'ALTER DEFAULT PRIVILEGES FOR ROLE "o" IN SCHEMA "s" GRANT CONNECT ON TABLES TO "app" WITH GRANT OPTION',
  },
] as const) {
  test(`grant: ${title}`, () => {
    assert.equal(grantStatements(target(given), { wanted: ['CONNECT'], held: [] }), want)
  })
}

test('what is held beyond the list is revoked first, and the grant option taken back', () => {
  assert.deepEqual(
    grantStatements(target({ grantOption: false }), { wanted: ['CONNECT'], held: ['CREATE', 'CONNECT'] }).split('; '),
    [
      'REVOKE CREATE ON DATABASE "shop" FROM "app"',
      'GRANT CONNECT ON DATABASE "shop" TO "app"',
      'REVOKE GRANT OPTION FOR CONNECT ON DATABASE "shop" FROM "app"',
    ],
  )
})

test('a revocation names what is held, and everything when that is not known', () => {
  assert.equal(revokeStatements(target({}), ['CONNECT']), 'REVOKE CONNECT ON DATABASE "shop" FROM "app"')
  assert.equal(revokeStatements(target({}), []), 'REVOKE ALL ON DATABASE "shop" FROM "app"')
})

test('a signature that could carry SQL is refused', () => {
  const objects = ['f(integer); DROP TABLE t']
  assert.throws(() => revokeStatements(target({ objectType: 'function', schema: 's', objects }), []), ExternalError)
})

for (const { type, given, want } of [
  { type: 'database', given: ['temp', 'connect', 'CONNECT'], want: ['CONNECT', 'TEMPORARY'] },
  { type: 'schema', given: ['all'], want: ['CREATE', 'USAGE'] },
  { type: 'table', given: ['Maintain'], want: ['MAINTAIN'] },
] as const) {
  test(`privileges on a ${type}: ${given.join()}`, () => assert.deepEqual(normalizePrivileges(type, given), want))
}

test('a privilege of another type is refused', () => {
  assert.throws(() => normalizePrivileges('database', ['SELECT']), ExternalError)
})

test('different targets have different external names', () => {
  const names = [
    target({}),
    target({ role: 'app@shop' }),
    target({ database: 'shop/database' }),
    target({ objectType: 'schema', schema: 's' }),
    target({ objectType: 'table', schema: 's' }),
    target({ objectType: 'table', schema: 's', objects: ['a'] }),
    target({ objectType: 'table', schema: 's', objects: ['a', 'b'] }),
    target({ objectType: 'table', schema: 's', objects: ['a,b'] }),
    target({ objectType: 'defaultTables', schema: 's' }),
    target({ objectType: 'defaultTables', owner: 's' }),
    target({ objectType: 'defaultTables', schema: 's', owner: 's' }),
  ].map(grantName)
  assert.equal(new Set(names).size, names.length, names.join('\n'))
})
