import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ManagedWorld, PostgresServer } from '@orrery/testing/postgres'
import { conditionOf, eventually, serverPrograms, startPostgres, startWorld } from '@orrery/testing/postgres'

const { found, skipped } = await serverPrograms()
for (const reason of skipped) console.log(`[skip] ${reason}`)

for (const programs of found) {
  suite(`Role on ${programs.title}`, () => {
    let server: PostgresServer
    let world: ManagedWorld

    before(async () => {
      server = await startPostgres({ programs })
      world = await startWorld()
      await world.configure('pg', server)
      await server.query('CREATE ROLE readers; CREATE ROLE writers')
    })
    after(async () => {
      await world[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })

    const inServer = async (name: string) => {
      const [row] = await server.query(
        `SELECT rolsuper AS super, rolcreatedb AS createdb, rolcreaterole AS createrole, rolinherit AS inherit, rolcanlogin AS login,
                rolreplication AS replication, rolbypassrls AS bypass, rolconnlimit AS "limit", shobj_description(r.oid, 'pg_authid') AS comment,
                ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1) AS groups,
                (SELECT setconfig FROM pg_db_role_setting WHERE setrole = r.oid AND setdatabase = 0) AS settings
           FROM pg_roles r WHERE rolname = $1`,
        { values: [name] },
      )
      return row
    }
    const login = async (secret: string, database = 'postgres') => {
      const values = await world.secret(secret)
      const { username = '', password = '' } = values ?? {}
      return await server.query('SELECT current_user::text AS me', { database, username, password })
    }

    test('every attribute takes effect, and the Secret logs in', async () => {
      await world.apply('Role', {
        name: 'full',
        forProvider: {
          superuser: true,
          createDatabase: true,
          createRole: true,
          inherit: false,
          replication: true,
          bypassRowLevelSecurity: true,
          connectionLimit: 9,
          memberOf: ['readers', 'writers'],
          parameters: { work_mem: '8MB', search_path: '"$user", public,audit', 'my.setting': "it's" },
        },
        spec: { writeConnectionSecretToRef: { name: 'full-login' } },
      })
      await world.ready('Role', 'full')
      const row = await inServer('full')
      assert.deepEqual(
        { ...row, comment: undefined, settings: undefined },
        {
          super: true,
          createdb: true,
          createrole: true,
          inherit: false,
          login: true,
          replication: true,
          bypass: true,
          limit: 9,
          groups: ['readers', 'writers'],
          comment: undefined,
          settings: undefined,
        },
      )
      assert.deepEqual(await login('full-login'), [{ me: 'full' }])
      const [path] = await server.query(
        `SELECT setting FROM pg_db_role_setting s, unnest(setconfig) setting WHERE setting ~ '^search_path'`,
      )
      assert.deepEqual(path, { setting: 'search_path="$user", public, audit' })
    })

    const base = { login: true, connectionLimit: 5, memberOf: ['readers'], parameters: { work_mem: '6MB' } }
    for (const { field, by, want } of [
      { field: 'login', by: 'ALTER ROLE drifting NOLOGIN', want: { login: true } },
      { field: 'superuser', by: 'ALTER ROLE drifting SUPERUSER', want: { super: false } },
      { field: 'createDatabase', by: 'ALTER ROLE drifting CREATEDB', want: { createdb: false } },
      { field: 'createRole', by: 'ALTER ROLE drifting CREATEROLE', want: { createrole: false } },
      { field: 'inherit', by: 'ALTER ROLE drifting NOINHERIT', want: { inherit: true } },
      { field: 'replication', by: 'ALTER ROLE drifting REPLICATION', want: { replication: false } },
      { field: 'bypassRowLevelSecurity', by: 'ALTER ROLE drifting BYPASSRLS', want: { bypass: false } },
      { field: 'connectionLimit', by: 'ALTER ROLE drifting CONNECTION LIMIT 1', want: { limit: 5 } },
      { field: 'memberOf', by: 'REVOKE readers FROM drifting', want: { groups: ['readers'] } },
      { field: 'memberOf', by: 'GRANT writers TO drifting', want: { groups: ['readers'] } },
      {
        field: 'parameters.work_mem',
        by: `ALTER ROLE drifting SET work_mem = '1GB'`,
        want: { settings: ['work_mem=6MB'] },
      },
      { field: 'parameters.work_mem', by: 'ALTER ROLE drifting RESET ALL', want: { settings: ['work_mem=6MB'] } },
    ]) {
      test(`drift of ${field} is undone or reported: ${by}`, async () => {
        await world.apply('Role', { name: 'drifting', forProvider: base })
        await world.ready('Role', 'drifting')
        await server.query(by)
        await world.nudge('Role', 'drifting')
        await eventually(async () => {
          const row = { ...(await inServer('drifting')) }
          assert.deepEqual({ ...row, ...want }, row)
        })
        await world.ready('Role', 'drifting')
        await world.apply('Role', { name: 'drifting', forProvider: base, spec: { driftPolicy: 'Report' } })
        await world.ready('Role', 'drifting')
        await server.query(by)
        await world.nudge('Role', 'drifting')
        const reported = await world.until('Role', 'drifting', (object) => object.status?.drift !== undefined)
        assert.deepEqual(
          reported.status?.drift?.map(({ path }) => path),
          [field],
        )
      })
    }

    test('a password changed by hand is set back, and reported without showing it', async () => {
      await world.apply('Role', { name: 'keyed', spec: { writeConnectionSecretToRef: { name: 'keyed-login' } } })
      await world.ready('Role', 'keyed')
      const earlier = await world.secret('keyed-login')
      await server.query(`ALTER ROLE keyed PASSWORD 'stolen'`)
      await world.nudge('Role', 'keyed')
      await eventually(async () => {
        assert.deepEqual(await login('keyed-login'), [{ me: 'keyed' }])
      })
      assert.deepEqual(await world.secret('keyed-login'), earlier)
    })

    test('a raised passwordVersion makes a new password, in the server and in every Secret', async () => {
      await world.apply('Role', { name: 'turned', spec: { writeConnectionSecretToRef: { name: 'turned-login' } } })
      await world.ready('Role', 'turned')
      await world.apply('Database', {
        name: 'turned',
        forProvider: { ownerRef: { name: 'turned' } },
        spec: { writeConnectionSecretToRef: { name: 'turned-db' } },
      })
      await world.ready('Database', 'turned')
      const earlier = await world.secret('turned-login')
      await world.apply('Role', {
        name: 'turned',
        forProvider: { passwordVersion: 1 },
        spec: { writeConnectionSecretToRef: { name: 'turned-login' } },
      })
      await world.ready('Role', 'turned')
      const rotated = await world.secret('turned-login')
      assert.notEqual(rotated?.['password'], earlier?.['password'])
      assert.deepEqual(await login('turned-login'), [{ me: 'turned' }])
      await eventually(async () => {
        assert.equal((await world.secret('turned-db'))?.['password'], rotated?.['password'])
      })
      await world.delete('Database', 'turned')
      await world.gone('Database', 'turned')
    })

    test('the password of a Secret is used, awaited, and followed when it changes', async () => {
      await world.apply('Role', {
        name: 'given',
        forProvider: { passwordSecretRef: { name: 'given-password' } },
        spec: { writeConnectionSecretToRef: { name: 'given-login' } },
      })
      await world.until('Role', 'given', (object) => conditionOf(object, 'Ready')?.reason === 'Waiting')
      await world.putSecret('given-password', { password: 'first ü \' \\ "' })
      await world.ready('Role', 'given')
      assert.deepEqual(await login('given-login'), [{ me: 'given' }])
      await world.putSecret('given-password', { password: 'second' })
      await eventually(async () => {
        assert.equal((await world.secret('given-login'))?.['password'], 'second')
        assert.deepEqual(await login('given-login'), [{ me: 'given' }])
      })
    })

    test('a role that may no longer log in keeps no password of ours, and may log in again', async () => {
      await world.apply('Role', { name: 'group', forProvider: { login: false } })
      await world.ready('Role', 'group')
      assert.equal((await inServer('group'))?.['login'], false)
      await world.apply('Role', { name: 'group', spec: { writeConnectionSecretToRef: { name: 'group-login' } } })
      await world.ready('Role', 'group')
      assert.deepEqual(await login('group-login'), [{ me: 'group' }])
    })

    test('an edit in the middle of a change is not mistaken for an unknown outcome', async () => {
      const reasons = new Set<string | undefined>()
      const ending = new AbortController()
      const watching = (async () => {
        const options = { namespace: world.namespace, sendInitialEvents: true, signal: ending.signal }
        for await (const event of world.client.watch(world.kind('Role'), options)) {
          if (event.type !== 'BOOKMARK') reasons.add(conditionOf(event.object, 'Synced')?.reason)
        }
      })()
      for (let connectionLimit = 1; connectionLimit <= 40; connectionLimit += 1) {
        await world.apply('Role', { name: 'edited', forProvider: { connectionLimit } })
      }
      await world.ready('Role', 'edited')
      assert.equal((await inServer('edited'))?.['limit'], 40)
      ending.abort()
      await watching
      assert.ok(!reasons.has('Settling'))
    })

    test('a role that vanished is made anew with the same password', async () => {
      await world.apply('Role', { name: 'phoenix', spec: { writeConnectionSecretToRef: { name: 'phoenix-login' } } })
      await world.ready('Role', 'phoenix')
      const earlier = await world.secret('phoenix-login')
      await server.query('DROP ROLE phoenix')
      await world.nudge('Role', 'phoenix')
      await eventually(async () => {
        assert.deepEqual(await login('phoenix-login'), [{ me: 'phoenix' }])
      })
      assert.deepEqual(await world.secret('phoenix-login'), earlier)
    })

    test('a renamed role is not made anew beside its old self', async () => {
      await world.apply('Role', { name: 'maiden' })
      await world.ready('Role', 'maiden')
      await server.query('ALTER ROLE maiden RENAME TO married')
      await world.nudge('Role', 'maiden')
      await world.until('Role', 'maiden', (object) => conditionOf(object, 'Ready')?.reason === 'Renamed')
      assert.equal(await inServer('maiden'), undefined)
      await server.query('ALTER ROLE married RENAME TO maiden')
      await world.nudge('Role', 'maiden')
      await world.ready('Role', 'maiden')
    })

    test('a role that owns things, or holds privileges, is dropped only once they are gone', async () => {
      for (const { name, hold, free } of [
        { name: 'owner', hold: 'CREATE TABLE held (); ALTER TABLE held OWNER TO owner', free: 'DROP TABLE held' },
        { name: 'holder', hold: 'CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO holder', free: 'DROP SCHEMA s' },
      ]) {
        await world.apply('Role', { name })
        await world.ready('Role', name)
        await server.query(hold)
        await world.delete('Role', name)
        const stuck = await world.until(
          'Role',
          name,
          (object) => conditionOf(object, 'Synced')?.reason === 'DependentObjects',
        )
        assert.match(conditionOf(stuck, 'Synced')?.message ?? '', name === 'owner' ? /table held/ : /schema s/)
        await server.query(free)
        await world.nudge('Role', name)
        await world.gone('Role', name)
        assert.equal(await inServer(name), undefined)
      }
    })

    test('groups are made before their members and dropped in either order', async () => {
      await world.apply('Role', { name: 'member', forProvider: { memberOfRefs: [{ name: 'team' }] } })
      await world.until('Role', 'member', (object) => conditionOf(object, 'Ready')?.reason === 'Waiting')
      await world.apply('Role', { name: 'team', forProvider: { login: false } })
      await world.ready('Role', 'member')
      assert.deepEqual((await inServer('member'))?.['groups'], ['team'])
      await world.delete('Role', 'team')
      await world.gone('Role', 'team')
      await world.delete('Role', 'member')
      await world.gone('Role', 'member')
    })

    for (const name of ['with space', `o'brien "quoted"`, 'snow☃man', '\\backslash', 'r'.repeat(63), 'user']) {
      test(`the external name ${name} is made, logs in and is dropped`, async () => {
        const annotations = { 'orrery.dev/external-name': name }
        const spec = { writeConnectionSecretToRef: { name: 'named-login' } }
        await world.apply('Role', {
          name: 'named',
          annotations,
          spec,
          forProvider: { parameters: { work_mem: '5MB' } },
        })
        await world.ready('Role', 'named')
        assert.deepEqual(await login('named-login'), [{ me: name }])
        await world.delete('Role', 'named')
        await world.gone('Role', 'named')
        assert.equal(await inServer(name), undefined)
      })
    }

    test('names that the server keeps for itself are refused in words', async () => {
      await world.apply('Role', { name: 'reserved', annotations: { 'orrery.dev/external-name': 'pg_mine' } })
      await world.until('Role', 'reserved', (object) => conditionOf(object, 'Synced')?.status === 'False')
      await world.delete('Role', 'reserved')
      await world.gone('Role', 'reserved')
    })
  })
}
