import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ManagedWorld, PostgresServer } from '@orrery/testing/postgres'
import { conditionOf, eventually, serverPrograms, startPostgres, startWorld } from '@orrery/testing/postgres'

const { found, skipped } = await serverPrograms()
for (const reason of skipped) console.log(`[skip] ${reason}`)

for (const programs of found) {
  suite(`Grant on ${programs.title}`, () => {
    let server: PostgresServer
    let world: ManagedWorld

    before(async () => {
      server = await startPostgres({ programs })
      world = await startWorld()
      await world.configure('pg', server)
      await server.query('CREATE ROLE app; CREATE ROLE other; CREATE ROLE owner')
      await server.query('CREATE DATABASE shop OWNER owner')
      await server.query(
        `CREATE SCHEMA s; CREATE TABLE s.one (); CREATE TABLE s."Two Three" (); CREATE SEQUENCE s.numbers; CREATE SEQUENCE s.more;
         CREATE FUNCTION s.f(integer, text) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
        { database: 'shop' },
      )
    })
    after(async () => {
      await world[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })

    const sql = async (text: string) => await server.query(text, { database: 'shop' })
    const may = async (expression: string) => {
      const [row] = await sql(`SELECT ${expression} AS may`)
      return row?.['may']
    }

    for (const each of [
      {
        objectType: 'database',
        privileges: ['connect', 'TEMP'],
        held: `has_database_privilege('app', 'shop', 'CREATE')`,
        wanted: { privileges: ['CONNECT', 'CREATE', 'TEMPORARY'] },
        undo: 'REVOKE CREATE ON DATABASE shop FROM app',
        widen: undefined,
      },
      {
        objectType: 'schema',
        schema: 's',
        privileges: ['USAGE'],
        held: `has_schema_privilege('app', 's', 'USAGE')`,
        undo: 'REVOKE USAGE ON SCHEMA s FROM app',
        widen: { by: 'GRANT CREATE ON SCHEMA s TO app', excess: `has_schema_privilege('app', 's', 'CREATE')` },
      },
      {
        objectType: 'table',
        schema: 's',
        privileges: ['SELECT', 'INSERT'],
        held: `has_table_privilege('app', 's.one', 'SELECT') AND has_table_privilege('app', 's."Two Three"', 'INSERT')`,
        undo: 'REVOKE SELECT ON s."Two Three" FROM app',
        widen: { by: 'GRANT DELETE ON s.one TO app', excess: `has_table_privilege('app', 's.one', 'DELETE')` },
      },
      {
        objectType: 'table',
        schema: 's',
        objects: ['Two Three'],
        privileges: ['ALL'],
        held: `has_table_privilege('app', 's."Two Three"', 'TRUNCATE') AND NOT has_table_privilege('app', 's.one', 'TRUNCATE')`,
        undo: 'REVOKE ALL ON s."Two Three" FROM app',
        widen: undefined,
      },
      {
        objectType: 'sequence',
        schema: 's',
        privileges: ['USAGE'],
        held: `has_sequence_privilege('app', 's.numbers', 'USAGE')`,
        undo: 'REVOKE USAGE ON ALL SEQUENCES IN SCHEMA s FROM app',
        widen: { by: 'GRANT UPDATE ON s.more TO app', excess: `has_sequence_privilege('app', 's.more', 'UPDATE')` },
      },
      {
        objectType: 'function',
        schema: 's',
        objects: ['f(integer, text)'],
        privileges: ['EXECUTE'],
        held: `(SELECT proacl::text FROM pg_proc WHERE oid = 's.f(integer,text)'::regprocedure) ~ 'app=X/'`,
        undo: 'REVOKE EXECUTE ON FUNCTION s.f(integer, text) FROM app',
        widen: undefined,
      },
      {
        objectType: 'defaultTables',
        schema: 's',
        owner: 'owner',
        privileges: ['SELECT'],
        held: `EXISTS (SELECT FROM pg_default_acl WHERE defaclobjtype = 'r' AND defaclrole = 'owner'::regrole AND defaclacl::text ~ 'app=r/owner')`,
        undo: 'ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA s REVOKE SELECT ON TABLES FROM app',
        widen: {
          by: 'ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA s GRANT UPDATE ON TABLES TO app',
          excess: `EXISTS (SELECT FROM pg_default_acl WHERE defaclobjtype = 'r' AND defaclacl::text ~ 'app=[a-z]*w')`,
        },
      },
      {
        objectType: 'defaultSequences',
        schema: 's',
        privileges: ['USAGE'],
        held: `EXISTS (SELECT FROM pg_default_acl WHERE defaclobjtype = 'S' AND defaclacl::text ~ 'app=U/')`,
        undo: 'ALTER DEFAULT PRIVILEGES IN SCHEMA s REVOKE USAGE ON SEQUENCES FROM app',
        widen: undefined,
      },
      {
        objectType: 'defaultFunctions',
        privileges: ['EXECUTE'],
        held: `EXISTS (SELECT FROM pg_default_acl WHERE defaclobjtype = 'f' AND defaclacl::text ~ 'app=X/')`,
        undo: 'ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM app',
        widen: undefined,
      },
    ]) {
      const { held, undo, widen, wanted, ...given } = each
      const forProvider = { role: 'app', database: 'shop', ...given, ...wanted }
      const title = `${each.objectType}${'objects' in each ? ' by name' : ''}`
      test(`privileges on ${title} are granted, healed, narrowed and revoked`, async () => {
        await world.apply('Grant', { name: 'g', forProvider })
        await world.ready('Grant', 'g')
        assert.equal(await may(held), true)
        await sql(undo)
        await world.nudge('Grant', 'g')
        await eventually(async () => assert.equal(await may(held), true))
        if (widen !== undefined) {
          await sql(widen.by)
          assert.equal(await may(widen.excess), true)
          await world.nudge('Grant', 'g')
          await eventually(async () => assert.equal(await may(widen.excess), false))
        }
        await world.ready('Grant', 'g')
        await world.delete('Grant', 'g')
        await world.gone('Grant', 'g')
        assert.equal(await may(held), false)
      })
    }

    test('privileges reach tables that are made later, and wait for the first', async () => {
      await sql('CREATE SCHEMA later')
      await world.apply('Grant', {
        name: 'later',
        forProvider: { role: 'app', database: 'shop', objectType: 'table', schema: 'later', privileges: ['SELECT'] },
      })
      await world.ready('Grant', 'later')
      await sql('CREATE TABLE later.first ()')
      await world.nudge('Grant', 'later')
      await eventually(async () => assert.equal(await may(`has_table_privilege('app', 'later.first', 'SELECT')`), true))
    })

    test('the grant option is given, taken by hand, healed and taken back', async () => {
      const option = `has_schema_privilege('app', 's', 'USAGE WITH GRANT OPTION')`
      const forProvider = { role: 'app', database: 'shop', objectType: 'schema', schema: 's', privileges: ['USAGE'] }
      await world.apply('Grant', { name: 'passing', forProvider: { ...forProvider, grantOption: true } })
      await world.ready('Grant', 'passing')
      assert.equal(await may(option), true)
      await sql('REVOKE GRANT OPTION FOR USAGE ON SCHEMA s FROM app')
      await world.nudge('Grant', 'passing')
      await eventually(async () => assert.equal(await may(option), true))
      await world.apply('Grant', { name: 'passing', forProvider })
      await world.ready('Grant', 'passing')
      assert.equal(await may(option), false)
      await world.delete('Grant', 'passing')
      await world.gone('Grant', 'passing')
    })

    test('changed privileges are exactly those listed', async () => {
      const forProvider = { role: 'app', database: 'shop', objectType: 'table', schema: 's', objects: ['one'] }
      await world.apply('Grant', { name: 'exact', forProvider: { ...forProvider, privileges: ['SELECT', 'UPDATE'] } })
      await world.ready('Grant', 'exact')
      await world.apply('Grant', { name: 'exact', forProvider: { ...forProvider, privileges: ['UPDATE', 'DELETE'] } })
      await world.ready('Grant', 'exact')
      assert.equal(await may(`has_table_privilege('app', 's.one', 'SELECT')`), false)
      assert.equal(await may(`has_table_privilege('app', 's.one', 'UPDATE')`), true)
      assert.equal(await may(`has_table_privilege('app', 's.one', 'DELETE')`), true)
      await world.delete('Grant', 'exact')
      await world.gone('Grant', 'exact')
    })

    test('what everybody may do, and what others may do, is never touched', async () => {
      await sql('GRANT CREATE ON DATABASE shop TO other')
      const acl = async () =>
        (await sql(`SELECT datacl::text AS acl FROM pg_database WHERE datname = 'shop'`))[0]?.['acl']
      const untouched = await acl()
      await world.apply('Grant', {
        name: 'beside',
        forProvider: { role: 'app', database: 'shop', privileges: ['CONNECT'] },
      })
      await world.ready('Grant', 'beside')
      await world.delete('Grant', 'beside')
      await world.gone('Grant', 'beside')
      assert.equal(await acl(), untouched)
    })

    test('an owner keeps what is inherent when its grant goes', async () => {
      await world.apply('Grant', {
        name: 'inherent',
        forProvider: { role: 'owner', database: 'shop', privileges: ['CONNECT'] },
      })
      await world.ready('Grant', 'inherent')
      await world.delete('Grant', 'inherent')
      await world.gone('Grant', 'inherent')
      assert.equal(await may(`has_database_privilege('owner', 'shop', 'CREATE')`), true)
    })

    test('a privilege that does not exist is named, and the object can be deleted', async () => {
      await world.apply('Grant', { name: 'wrong', forProvider: { role: 'app', database: 'shop', privileges: ['FLY'] } })
      const wrong = await world.until('Grant', 'wrong', (object) => conditionOf(object, 'Synced')?.status === 'False')
      assert.equal(conditionOf(wrong, 'Synced')?.reason, 'InvalidPrivilege')
      await world.delete('Grant', 'wrong')
      await world.gone('Grant', 'wrong')
    })

    test('a grant waits for its role and database, and goes with them in any order', async () => {
      await world.apply('Grant', {
        name: 'ordered',
        forProvider: { roleRef: { name: 'late' }, databaseRef: { name: 'late' }, privileges: ['CONNECT'] },
      })
      await world.until('Grant', 'ordered', (object) => conditionOf(object, 'Ready')?.reason === 'Waiting')
      await world.apply('Role', { name: 'late' })
      await world.apply('Database', { name: 'late', forProvider: { ownerRef: { name: 'late' } } })
      await world.ready('Grant', 'ordered')
      await world.delete('Role', 'late')
      await world.delete('Database', 'late')
      await world.delete('Grant', 'ordered')
      await world.gone('Role', 'late')
      await world.gone('Database', 'late')
      await world.gone('Grant', 'ordered')
      assert.deepEqual(await sql(`SELECT FROM pg_roles WHERE rolname = 'late'`), [])
    })

    test('a grant whose database was dropped by hand can be deleted', async () => {
      await server.query('CREATE DATABASE brief')
      await world.apply('Grant', {
        name: 'brief',
        forProvider: { role: 'app', database: 'brief', objectType: 'schema', schema: 'public', privileges: ['USAGE'] },
      })
      await world.ready('Grant', 'brief')
      await server.query('DROP DATABASE brief WITH (FORCE)')
      await world.delete('Grant', 'brief')
      await world.gone('Grant', 'brief')
    })
  })
}
