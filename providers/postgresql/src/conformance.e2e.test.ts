import assert from 'node:assert/strict'
import { after, before, suite } from 'node:test'
import { providerSuite } from '@orrery/provider/conformance'
import type { PostgresServer } from '@orrery/testing/postgres'
import { postgresHarness, serverPrograms, startPostgres } from '@orrery/testing/postgres'

/** Settling a crash takes seconds of real time, so that only a sample of the points is tried; the fakes try all. */
const CRASH_STRIDE = 7

const [packaged] = (await serverPrograms()).found
assert.ok(packaged !== undefined, 'The packaged server was not found.')

// Kinds side by side: nearly all of their time is waiting until nothing late can still happen.
suite(`PostgreSQL (${packaged.title}) in real time`, { concurrency: true }, () => {
  let server: PostgresServer
  before(async () => {
    server = await startPostgres({ programs: packaged })
  })
  after(async () => await server[Symbol.asyncDispose]())

  providerSuite(
    'provider',
    postgresHarness(() => server),
    { crashStride: CRASH_STRIDE },
  )
})
