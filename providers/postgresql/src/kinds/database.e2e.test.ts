import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ManagedWorld, PostgresServer } from '@orrery/testing/postgres'
import { conditionOf, eventually, serverPrograms, startPostgres, startWorld } from '@orrery/testing/postgres'

const { found, skipped } = await serverPrograms()
for (const reason of skipped) console.log(`[skip] ${reason}`)

for (const programs of found) {
  suite(`Database on ${programs.title}`, () => {
    let server: PostgresServer
    let world: ManagedWorld

    before(async () => {
      server = await startPostgres({ programs })
      world = await startWorld()
      await world.configure('pg', server)
      await server.query('CREATE ROLE ann; CREATE ROLE bob')
    })
    after(async () => {
      await world[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })

    const inServer = async (name: string) => {
      const [row] = await server.query(
        `SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate AS locale,
                datconnlimit AS "limit", datallowconn AS open, shobj_description(oid, 'pg_database') AS comment
           FROM pg_database WHERE datname = $1`,
        { values: [name] },
      )
      return row
    }

    test('every field takes effect when it is created', async () => {
      await world.apply('Database', {
        name: 'full',
        forProvider: {
          owner: 'ann',
          encoding: 'utf-8',
          locale: 'C',
          connectionLimit: 7,
          extensions: ['hstore', 'earthdistance'],
        },
      })
      const object = await world.ready('Database', 'full')
      const row = await inServer('full')
      assert.deepEqual(
        { ...row, comment: undefined },
        { owner: 'ann', encoding: 'UTF8', locale: 'C', limit: 7, open: true, comment: undefined },
      )
      assert.match(String(row?.['comment']), new RegExp(`uid=${object.metadata.uid}`))
    })

    test('each field that can change follows the spec', async () => {
      await world.apply('Database', { name: 'moving', forProvider: { owner: 'ann', connectionLimit: 3 } })
      await world.ready('Database', 'moving')
      await world.apply('Database', {
        name: 'moving',
        forProvider: { owner: 'bob', connectionLimit: 4, allowConnections: false },
      })
      await world.ready('Database', 'moving')
      const { owner, limit, open } = { ...(await inServer('moving')) }
      assert.deepEqual({ owner, limit, open }, { owner: 'bob', limit: 4, open: false })
      await world.apply('Database', { name: 'moving', forProvider: { owner: 'bob', extensions: ['plpgsql'] } })
      await world.ready('Database', 'moving')
      assert.equal((await inServer('moving'))?.['open'], true)
    })

    for (const { field, by, want } of [
      { field: 'owner', by: 'ALTER DATABASE drifting OWNER TO bob', want: { owner: 'ann' } },
      { field: 'connectionLimit', by: 'ALTER DATABASE drifting CONNECTION LIMIT 99', want: { limit: 5 } },
      { field: 'allowConnections', by: 'ALTER DATABASE drifting ALLOW_CONNECTIONS false', want: { open: true } },
    ]) {
      test(`a changed ${field} is drift and undone, or only reported`, async () => {
        await world.apply('Database', { name: 'drifting', forProvider: { owner: 'ann', connectionLimit: 5 } })
        await world.ready('Database', 'drifting')
        await server.query(by)
        await world.nudge('Database', 'drifting')
        await eventually(async () => {
          const row = { ...(await inServer('drifting')) }
          assert.deepEqual({ ...row, ...want }, row)
        })
        await world.ready('Database', 'drifting')
        await world.apply('Database', {
          name: 'drifting',
          forProvider: { owner: 'ann', connectionLimit: 5 },
          spec: { driftPolicy: 'Report' },
        })
        await world.ready('Database', 'drifting')
        await server.query(by)
        await world.nudge('Database', 'drifting')
        const reported = await world.until('Database', 'drifting', (object) => object.status?.drift !== undefined)
        assert.equal(reported.status?.drift?.[0]?.path, field)
        assert.equal(conditionOf(reported, 'UpToDate')?.status, 'False')
        assert.equal(conditionOf(reported, 'Ready')?.status, 'True')
      })
    }

    test('a dropped database is reported, and made anew only where the policy says so', async () => {
      await world.apply('Database', { name: 'lost' })
      await world.ready('Database', 'lost')
      await server.query('DROP DATABASE lost WITH (FORCE)')
      await world.nudge('Database', 'lost')
      const missing = await world.until(
        'Database',
        'lost',
        (object) => conditionOf(object, 'Ready')?.reason === 'ExternalMissing',
      )
      assert.equal(conditionOf(missing, 'Ready')?.status, 'False')
      assert.equal(await inServer('lost'), undefined)
      await world.apply('Database', { name: 'lost', spec: { lossPolicy: 'Recreate' } })
      await world.ready('Database', 'lost')
      assert.notEqual(await inServer('lost'), undefined)
    })

    test('a renamed database is neither made anew nor taken for lost, and its new name is left alone', async () => {
      await world.apply('Database', { name: 'before-rename', spec: { lossPolicy: 'Recreate' } })
      await world.ready('Database', 'before-rename')
      await server.query('ALTER DATABASE "before-rename" RENAME TO "after rename"')
      await world.nudge('Database', 'before-rename')
      const renamed = await world.until(
        'Database',
        'before-rename',
        (object) => conditionOf(object, 'Ready')?.reason === 'Renamed',
      )
      assert.equal(conditionOf(renamed, 'Ready')?.status, 'Unknown')
      assert.equal(await inServer('before-rename'), undefined)
      await world.delete('Database', 'before-rename')
      await world.gone('Database', 'before-rename')
      assert.notEqual(await inServer('after rename'), undefined)
    })

    for (const name of [
      'with space',
      `o'brien "quoted"`,
      'snow☃man',
      '\\backslash',
      'UPPER',
      'a'.repeat(63),
      'select',
      '$1;--',
    ]) {
      test(`the external name ${name} is made, healed and dropped`, async () => {
        await world.apply('Database', {
          name: 'named',
          forProvider: { owner: 'ann', extensions: ['plpgsql'] },
          annotations: { 'orrery.dev/external-name': name },
        })
        await world.ready('Database', 'named')
        assert.equal((await inServer(name))?.['owner'], 'ann')
        await world.delete('Database', 'named')
        await world.gone('Database', 'named')
        assert.equal(await inServer(name), undefined)
      })
    }

    test('a name that the server would cut is refused in words', async () => {
      await world.apply('Database', { name: 'long', annotations: { 'orrery.dev/external-name': 'é'.repeat(32) } })
      await world.until('Database', 'long', (object) => conditionOf(object, 'Synced')?.reason === 'InvalidName')
      await world.delete('Database', 'long')
      await world.gone('Database', 'long')
    })

    test('what a DBA wrote into the comment stays before our mark', async () => {
      await world.apply('Database', { name: 'noted' })
      await world.ready('Database', 'noted')
      await server.query(`COMMENT ON DATABASE noted IS 'Ask Ann''s team \\ first'`)
      await world.nudge('Database', 'noted')
      await eventually(async () => {
        assert.match(
          String((await inServer('noted'))?.['comment']),
          /^Ask Ann's team \\ first \[orrery hub=.* uid=.*\]$/,
        )
      })
    })

    test('a database in use is not dropped until its sessions end', async () => {
      await world.apply('Database', { name: 'busy' })
      await world.ready('Database', 'busy')
      const session = await server.connect({ database: 'busy' })
      await world.delete('Database', 'busy')
      await world.until('Database', 'busy', (object) => conditionOf(object, 'Synced')?.reason === 'InUse')
      assert.notEqual(await inServer('busy'), undefined)
      await session.end()
      await world.gone('Database', 'busy')
      assert.equal(await inServer('busy'), undefined)
    })

    test('forceDestroy drops a database with sessions and tables', async () => {
      await world.apply('Database', { name: 'forced', spec: { forceDestroy: true } })
      await world.ready('Database', 'forced')
      const session = await server.connect({ database: 'forced' })
      await session.query('CREATE TABLE t ()')
      await world.delete('Database', 'forced')
      await world.gone('Database', 'forced')
      await session.end().catch(() => undefined)
      assert.equal(await inServer('forced'), undefined)
    })

    test('a database with tables is kept, whether it lets us look or not', async () => {
      for (const closed of [false, true]) {
        await world.apply('Database', { name: 'kept', forProvider: { allowConnections: true } })
        await world.ready('Database', 'kept')
        await server.query('CREATE TABLE IF NOT EXISTS t ()', { database: 'kept' })
        if (closed) {
          await world.apply('Database', { name: 'kept', forProvider: { allowConnections: false } })
          await world.ready('Database', 'kept')
        }
        await world.delete('Database', 'kept')
        await world.until('Database', 'kept', (object) => object.status?.plan?.reason === 'NotEmpty')
        assert.notEqual(await inServer('kept'), undefined)
        await world.apply('Database', { name: 'kept', spec: { forceDestroy: true } })
        await world.gone('Database', 'kept')
      }
    })

    test('what cannot change in place is refused, and replaced only with forceDestroy', async () => {
      await world.apply('Database', { name: 'fixed', forProvider: { encoding: 'UTF8', locale: 'C' } })
      await world.ready('Database', 'fixed')
      await world.apply('Database', { name: 'fixed', forProvider: { encoding: 'SQL_ASCII', locale: 'C' } })
      await world.until('Database', 'fixed', (object) => object.status?.plan?.reason === 'ReplaceRefused')
      assert.equal((await inServer('fixed'))?.['encoding'], 'UTF8')
      await world.apply('Database', {
        name: 'fixed',
        forProvider: { encoding: 'SQL_ASCII', locale: 'C' },
        spec: { forceDestroy: true },
      })
      await world.ready('Database', 'fixed')
      assert.equal((await inServer('fixed'))?.['encoding'], 'SQL_ASCII')
    })

    test('what exists is left alone until it is adopted, and stays when deletion is not ours', async () => {
      await server.query('CREATE DATABASE elder OWNER bob')
      await world.apply('Database', {
        name: 'elder',
        forProvider: { owner: 'ann' },
        spec: { managementPolicies: ['Observe', 'Create', 'Update'] },
      })
      await world.until('Database', 'elder', (object) => conditionOf(object, 'Ready')?.reason === 'AlreadyExists')
      assert.equal((await inServer('elder'))?.['owner'], 'bob')
      await world.annotate('Database', 'elder', { 'orrery.dev/adopt': 'true' })
      const adopted = await world.ready('Database', 'elder')
      assert.equal(adopted.status?.external?.ownership, 'Adopted')
      assert.equal((await inServer('elder'))?.['owner'], 'ann')
      await world.delete('Database', 'elder')
      await world.gone('Database', 'elder')
      assert.notEqual(await inServer('elder'), undefined)
    })

    test('an object that never owned what exists removes nothing', async () => {
      await server.query('CREATE DATABASE foreign_one')
      await world.apply('Database', { name: 'foreign', annotations: { 'orrery.dev/external-name': 'foreign_one' } })
      await world.until('Database', 'foreign', (object) => conditionOf(object, 'Ready')?.reason === 'AlreadyExists')
      await world.delete('Database', 'foreign')
      await world.gone('Database', 'foreign')
      assert.notEqual(await inServer('foreign_one'), undefined)
    })

    test('an observed database is read, and never written', async () => {
      await server.query('CREATE DATABASE watched OWNER bob')
      await world.apply('Database', {
        name: 'watched',
        forProvider: { owner: 'ann' },
        spec: { managementPolicies: ['Observe'] },
      })
      const object = await world.until('Database', 'watched', (each) => conditionOf(each, 'Ready')?.status === 'True')
      assert.equal(object.status?.atProvider?.['owner'], 'bob')
      assert.equal((await inServer('watched'))?.['comment'], null)
    })

    test('a drop that was interrupted is finished', async () => {
      await world.apply('Database', { name: 'halfway', spec: { forceDestroy: true } })
      await world.ready('Database', 'halfway')
      // What a server leaves behind that was killed in the middle of DROP DATABASE.
      await server.query(`UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'halfway'`)
      await world.nudge('Database', 'halfway')
      await world.until('Database', 'halfway', (object) => conditionOf(object, 'Ready')?.reason === 'DropInterrupted')
      await world.delete('Database', 'halfway')
      await world.gone('Database', 'halfway')
      assert.equal(await inServer('halfway'), undefined)
    })
  })
}
