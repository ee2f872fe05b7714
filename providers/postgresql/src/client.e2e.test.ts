import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { openPki } from '@orrery/hub/node'
import type { Attempt } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'
import type { ManagedWorld, PostgresServer } from '@orrery/testing/postgres'
import { conditionOf, eventually, serverPrograms, startPostgres, startWorld } from '@orrery/testing/postgres'
import fc from 'fast-check'
import type { Address } from './client.ts'
import { PostgresClient } from './client.ts'
import { scramVerifier } from './scram.ts'
import { identifier, literal } from './sql.ts'

const { found, skipped } = await serverPrograms()
for (const reason of skipped) console.log(`[skip] ${reason}`)

const DEADLINE_MS = 30_000
const signal = () => AbortSignal.timeout(DEADLINE_MS)

function addressOf(server: PostgresServer, changes: Partial<Address> = {}): Address {
  const { host, port, username, password } = server
  return { host, port, username, password, database: 'postgres', tls: 'disable', caCertificate: undefined, ...changes }
}

const attempt = (id: string): Attempt => ({
  id,
  effect: 'create',
  request: {},
  sendBefore: new Date(0).toISOString(),
  startedAt: new Date(0).toISOString(),
  epoch: 0,
})

async function failure(promise: Promise<unknown>): Promise<ExternalError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof ExternalError) return error
    throw error
  }
  throw new Error('It did not fail.')
}

for (const programs of found) {
  suite(`Sessions with ${programs.title}`, () => {
    let server: PostgresServer
    let client: PostgresClient

    before(async () => {
      server = await startPostgres({ programs, parameters: { max_connections: '20' } })
      client = new PostgresClient(addressOf(server))
    })
    after(async () => {
      await client.close()
      await server[Symbol.asyncDispose]()
    })

    test('every text comes back as it was quoted, whatever the server takes a backslash for', async () => {
      const text = fc.string({ unit: fc.constantFrom('\\', "'", '"', 'a', '\n', 'ü', '☃', '$', ';', '-', ' ', '%') })
      await fc.assert(
        fc.asyncProperty(text, fc.constantFrom('on', 'off'), async (value, conforming) => {
          const session = await server.connect()
          await session.query(`SET standard_conforming_strings = ${conforming}`)
          await session.query('SET escape_string_warning = off')
          const result = await session.query<{ text: string }>(`SELECT ${literal(value)} AS text`)
          await session.end()
          assert.equal(result.rows[0]?.text, value)
        }),
        { numRuns: 40 },
      )
    })

    test('every name comes back as it was quoted', async () => {
      const unit = fc.constantFrom('\\', "'", '"', 'a', 'B', 'ü', '$', ';', '-', ' ', '%', '.')
      const names = fc.string({ unit, minLength: 1, maxLength: 31 })
      await fc.assert(
        fc.asyncProperty(names, async (name) => {
          const [row] = await client.query(`SELECT 1 AS ${identifier(name)}`, { signal: signal() })
          assert.deepEqual(Object.keys(row ?? {}), [name])
        }),
        { numRuns: 60 },
      )
    })

    test('a role logs in with a password of which the server saw the verifier only', async () => {
      for (const password of ['simple', 'ü ☃ "\'\\', 'ﬁ ligature', 'p'.repeat(200)]) {
        const verifier = scramVerifier(password, Buffer.alloc(16, 7))
        await server.query(`DROP ROLE IF EXISTS scrammed; CREATE ROLE scrammed LOGIN PASSWORD ${literal(verifier)}`)
        const rows = await server.query('SELECT current_user::text AS me', {
          username: 'scrammed',
          password,
          database: 'postgres',
        })
        assert.deepEqual(rows, [{ me: 'scrammed' }])
      }
    })

    test('a wrong password, an unknown database and an unreachable server are told apart', async () => {
      const wrong = new PostgresClient(addressOf(server, { password: 'wrong' }))
      const refused = await failure(wrong.query('SELECT 1', { signal: signal() }))
      assert.deepEqual([refused.class, refused.reason], ['user', 'InvalidCredentials'])
      assert.doesNotMatch(refused.message, /wrong/)
      const missing = await failure(client.query('SELECT 1', { database: 'nowhere', signal: signal() }))
      assert.deepEqual([missing.class, missing.reason], ['conflict', 'DatabaseMissing'])
      const nobody = new PostgresClient(addressOf(server, { port: 1 }))
      const unreachable = await failure(nobody.query('SELECT 1', { signal: signal() }))
      assert.deepEqual([unreachable.class, unreachable.reason], ['transient', 'Unreachable'])
      await wrong.close()
      await nobody.close()
    })

    test('a server without a free connection throttles', async () => {
      await server.query(`DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN PASSWORD 'few'`)
      const sessions = []
      const login = { username: 'few', password: 'few' }
      try {
        for (;;) sessions.push(await server.connect(login))
      } catch {
        // Full for everybody but superusers.
      }
      const crowded = new PostgresClient(addressOf(server, login))
      const full = await failure(crowded.query('SELECT 1', { signal: signal() }))
      assert.deepEqual([full.class, full.reason], ['throttled', 'TooManyConnections'])
      for (const session of sessions) await session.end()
      await crowded.close()
    })

    test('a fenced attempt takes effect at once or never', async () => {
      const id = 'b8f5b7f4-0000-4000-8000-000000000001'
      const slow = client.mutate(`SELECT pg_sleep(20); CREATE ROLE late`, {
        attempt: attempt(id),
        send: async (call) => await call(),
        doing: 'Creating slowly',
        signal: signal(),
      })
      const outcome = failure(slow)
      await eventually(async () => {
        const rows = await server.query(
          `SELECT FROM pg_stat_activity WHERE application_name = 'orrery:${id}' AND state = 'active'`,
        )
        assert.equal(rows.length, 1)
      })
      const other = new PostgresClient(addressOf(server))
      await other.fence(attempt(id), signal())
      await other.fence(attempt(id), signal())
      assert.equal((await outcome).class, 'unknown')
      assert.deepEqual(await server.query(`SELECT FROM pg_stat_activity WHERE application_name = 'orrery:${id}'`), [])
      assert.deepEqual(await server.query(`SELECT FROM pg_roles WHERE rolname = 'late'`), [])
      await other.close()
    })

    test('a question that is given up lets go of its session, so that others can ask', async () => {
      const asking = Array.from({ length: 12 }, async () => {
        const given = new AbortController()
        const asked = client.query('SELECT pg_sleep(20)', { signal: given.signal })
        const outcome = failure(asked)
        await eventually(async () => {
          const rows = await server.query(`SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)'`)
          assert.ok(rows.length > 0)
        })
        given.abort(new ExternalError({ class: 'unknown', reason: 'Timeout', message: 'Given up.' }))
        return await outcome
      })
      for (const error of await Promise.all(asking)) assert.equal(error.reason, 'Timeout')
      assert.deepEqual(await client.query('SELECT 1 AS one', { signal: signal() }), [{ one: 1 }])
    })

    test('several statements of one effect happen together or not at all', async () => {
      const failed = await failure(
        client.mutate(`CREATE ROLE half; COMMENT ON ROLE missing IS 'x'`, {
          attempt: attempt('b8f5b7f4-0000-4000-8000-000000000002'),
          send: async (call) => await call(),
          doing: 'Creating',
          signal: signal(),
        }),
      )
      assert.equal(failed.class, 'user')
      assert.deepEqual(await server.query(`SELECT FROM pg_roles WHERE rolname = 'half'`), [])
    })
  })

  suite(`TLS with ${programs.title}`, () => {
    let folder = ''
    let server: PostgresServer
    let authority = ''

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'orrery-tls-'))
      const pki = openPki({ directory: join(folder, 'pki'), nowMs: Date.now() })
      authority = pki.authority
      const parameters = { listen_addresses: '127.0.0.1,127.0.0.2' }
      server = await startPostgres({ programs, tls: pki.server, parameters })
    })
    after(async () => {
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    })

    for (const { tls, trusted, host, works } of [
      { tls: 'disable', trusted: true, host: '127.0.0.1', works: false },
      { tls: 'require', trusted: false, host: '127.0.0.1', works: true },
      { tls: 'verify-ca', trusted: true, host: '127.0.0.1', works: true },
      { tls: 'verify-ca', trusted: true, host: '127.0.0.2', works: true },
      { tls: 'verify-ca', trusted: false, host: '127.0.0.1', works: false },
      { tls: 'verify-full', trusted: true, host: 'localhost', works: true },
      { tls: 'verify-full', trusted: true, host: '127.0.0.2', works: false },
      { tls: 'verify-full', trusted: false, host: '127.0.0.1', works: false },
    ] as const) {
      test(`${tls} to ${host} with ${trusted ? 'the' : 'no'} authority ${works ? 'connects' : 'is refused'}`, async () => {
        const caCertificate = trusted ? authority : undefined
        const client = new PostgresClient(addressOf(server, { tls, host, caCertificate }))
        const asking = client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', { signal: signal() })
        if (works) assert.deepEqual(await asking, [{ ssl: true }])
        else await failure(asking)
        await client.close()
      })
    }
  })

  suite(`Trouble with ${programs.title}`, () => {
    let server: PostgresServer
    let world: ManagedWorld

    before(async () => {
      server = await startPostgres({ programs })
      world = await startWorld()
      await world.configure('pg', server)
    })
    after(async () => {
      await world[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })

    test('what is applied while the server restarts is done when it is back', async () => {
      await world.apply('Role', { name: 'early' })
      await world.ready('Role', 'early')
      await server.stop('kill')
      for (const name of ['a', 'b', 'c'])
        await world.apply('Database', { name, forProvider: { ownerRef: { name: 'early' } } })
      await world.until('Database', 'a', (object) => conditionOf(object, 'Synced')?.reason === 'Unreachable')
      await server.start()
      for (const name of ['a', 'b', 'c']) await world.ready('Database', name)
    })

    test('a wrong password is told on every object, and mended by the Secret', async () => {
      await world.configure('pg', { host: server.host, port: server.port, username: 'postgres', password: 'wrong' })
      await world.apply('Role', { name: 'locked-out' })
      await world.until(
        'Role',
        'locked-out',
        (object) => conditionOf(object, 'Synced')?.reason === 'InvalidCredentials',
      )
      await world.configure('pg', server)
      await world.ready('Role', 'locked-out')
    })

    test('a creation that was cut off in the middle is settled, and done once', async () => {
      await world.apply('Database', { name: 'cut-off' })
      await world.until(
        'Database',
        'cut-off',
        ({ status }) => status?.attempt !== undefined || status?.external !== undefined,
      )
      await server.stop('kill')
      await server.start()
      await world.ready('Database', 'cut-off')
      const rows = await server.query(`SELECT FROM pg_database WHERE datname = 'cut-off'`)
      assert.equal(rows.length, 1)
    })
  })
}
