import type { Clock, HttpHandler, Random } from '@orrery/api'
import { silentLogger } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import { createAuthenticator, createDefaultAuthorizer, createHub } from '@orrery/hub'
import { openMemoryStore, type Store } from '@orrery/hub/store'
import { Registry } from 'prom-client'

export interface TestHubOptions {
  readonly clock: Clock
  readonly random: Random
  /** Stays the caller's. Default: a store in memory, which ends with the hub. */
  readonly store?: Store
}

/** The real hub over a store in memory, reached in the same process as an administrator. */
export interface TestHub extends AsyncDisposable {
  readonly transport: HttpHandler
  readonly client: Client
}

export async function createTestHub(options: TestHubOptions): Promise<TestHub> {
  const { clock, random } = options
  const store = options.store ?? (await openMemoryStore({ random }))
  const hub = await createHub({
    store,
    clock,
    random,
    log: silentLogger,
    metrics: new Registry(),
    authenticator: createAuthenticator(),
    authorizer: createDefaultAuthorizer(),
  })
  const user = { name: 'admin', groups: ['system:masters'] }
  const transport: HttpHandler = (request) => hub.handle(request, { user })
  return {
    transport,
    client: createClient({ transport, clock, random, userAgent: 'test' }),
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]()
      if (options.store === undefined) await store[Symbol.asyncDispose]()
    },
  }
}
