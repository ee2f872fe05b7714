import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ManagedWorld, PostgresServer } from '@orrery/testing/postgres'
import { conditionOf, eventually, serverPrograms, startPostgres, startWorld } from '@orrery/testing/postgres'

const { found, skipped } = await serverPrograms()
for (const reason of skipped) console.log(`[skip] ${reason}`)

for (const programs of found) {
  suite(`Schema and Extension on ${programs.title}`, () => {
    let server: PostgresServer
    let world: ManagedWorld

    before(async () => {
      server = await startPostgres({ programs })
      world = await startWorld()
      await world.configure('pg', server)
      await server.query('CREATE ROLE ann; CREATE ROLE bob')
      await server.query('CREATE DATABASE shop')
    })
    after(async () => {
      await world[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })

    const schema = async (name: string) => {
      const [row] = await server.query(
        `SELECT pg_get_userbyid(nspowner)::text AS owner, obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace WHERE nspname = $1`,
        { database: 'shop', values: [name] },
      )
      return row
    }
    const extension = async (name: string) => {
      const [row] = await server.query(
        `SELECT extversion AS version, extnamespace::regnamespace::text AS schema, obj_description(oid, 'pg_extension') AS comment FROM pg_extension WHERE extname = $1`,
        { database: 'shop', values: [name] },
      )
      return row
    }

    test('a schema waits for its database, and both come and go', async () => {
      await world.apply('Schema', { name: 'early', forProvider: { databaseRef: { name: 'later' } } })
      await world.until('Schema', 'early', (object) => conditionOf(object, 'Ready')?.reason === 'Waiting')
      await world.apply('Database', { name: 'later' })
      await world.ready('Schema', 'early')
      await world.delete('Database', 'later')
      await world.delete('Schema', 'early')
      await world.gone('Schema', 'early')
      await world.gone('Database', 'later')
    })

    test('the owner of a schema follows the spec, and drift is undone', async () => {
      await world.apply('Schema', { name: 'audit', forProvider: { database: 'shop', owner: 'ann' } })
      await world.ready('Schema', 'audit')
      await server.query(`ALTER SCHEMA audit OWNER TO bob; COMMENT ON SCHEMA audit IS 'By hand'`, { database: 'shop' })
      await world.nudge('Schema', 'audit')
      await eventually(async () => {
        const row = await schema('audit')
        assert.equal(row?.['owner'], 'ann')
        assert.match(String(row?.['comment']), /^By hand \[orrery /)
      })
      await world.apply('Schema', { name: 'audit', forProvider: { database: 'shop', owner: 'bob' } })
      await world.ready('Schema', 'audit')
      assert.equal((await schema('audit'))?.['owner'], 'bob')
    })

    test('a schema with tables is kept, and goes with forceDestroy', async () => {
      await world.apply('Schema', { name: 'full', forProvider: { database: 'shop' } })
      await world.ready('Schema', 'full')
      await server.query('CREATE TABLE "full".t ()', { database: 'shop' })
      await world.delete('Schema', 'full')
      await world.until('Schema', 'full', (object) => object.status?.plan?.reason === 'NotEmpty')
      await world.apply('Schema', { name: 'full', forProvider: { database: 'shop' }, spec: { forceDestroy: true } })
      await world.gone('Schema', 'full')
      assert.equal(await schema('full'), undefined)
    })

    test('a dropped schema is reported', async () => {
      await world.apply('Schema', { name: 'lost', forProvider: { database: 'shop' } })
      await world.ready('Schema', 'lost')
      await server.query('DROP SCHEMA lost', { database: 'shop' })
      await world.nudge('Schema', 'lost')
      await world.until('Schema', 'lost', (object) => conditionOf(object, 'Ready')?.reason === 'ExternalMissing')
    })

    test('the database of a schema cannot change in place', async () => {
      await world.apply('Schema', { name: 'fixed', forProvider: { database: 'shop' } })
      await world.ready('Schema', 'fixed')
      await world.apply('Schema', { name: 'fixed', forProvider: { database: 'postgres' } })
      await world.until('Schema', 'fixed', (object) => object.status?.plan?.reason === 'ReplaceRefused')
      assert.notEqual(await schema('fixed'), undefined)
    })

    test('an extension is installed where it should be, updated, and removed', async () => {
      await server.query('CREATE SCHEMA tools', { database: 'shop' })
      const forProvider = { database: 'shop', schema: 'tools' }
      await world.apply('Extension', { name: 'pageinspect', forProvider: { ...forProvider, version: '1.8' } })
      await world.ready('Extension', 'pageinspect')
      assert.deepEqual(
        { ...(await extension('pageinspect')), comment: undefined },
        { version: '1.8', schema: 'tools', comment: undefined },
      )
      await world.apply('Extension', { name: 'pageinspect', forProvider: { ...forProvider, version: '1.9' } })
      await world.ready('Extension', 'pageinspect')
      assert.equal((await extension('pageinspect'))?.['version'], '1.9')
      assert.match(String((await extension('pageinspect'))?.['comment']), /\[orrery hub=/)
      await world.delete('Extension', 'pageinspect')
      await world.gone('Extension', 'pageinspect')
      assert.equal(await extension('pageinspect'), undefined)
    })

    test('an extension that is not on the machine is told in the words of the server', async () => {
      await world.apply('Extension', { name: 'nothing', forProvider: { database: 'shop' } })
      const object = await world.until(
        'Extension',
        'nothing',
        (each) => conditionOf(each, 'Synced')?.status === 'False',
      )
      assert.match(conditionOf(object, 'Synced')?.message ?? '', /nothing/)
      await world.delete('Extension', 'nothing')
      await world.gone('Extension', 'nothing')
    })
  })
}
