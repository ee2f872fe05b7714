import type { HttpHandler, HttpRequest } from '@orrery/api'
import { silentLogger } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import { createAuthenticator, createDefaultAuthorizer, createHub } from '@orrery/hub'
import { openMemoryStore, StoreError } from '@orrery/hub/store'
import { createEngine, ensureHashKey, ensureNamespace, hubIdentity, installDefinitions } from '@orrery/provider'
import { addGarbageCollector, createEventRecorder, createManager, createNamespaceController } from '@orrery/runtime'
import { Registry } from 'prom-client'
import { FAKE_GROUP, fakeProvider } from '../fake-provider.ts'
import type { FakeSystem } from '../fake-system.ts'
import { SimulatedDisk } from '../simulated-disk.ts'
import { NetworkError, SimulatedNetwork } from '../simulated-network.ts'
import { SimulatedProcess } from '../simulated-process.ts'
import type { Simulation } from '../simulation.ts'

export const SYSTEM_NAMESPACE = 'orrery-system'
/** Longer than the usual lease: renewals are most of what a quiet world does. */
const ELECTION = { namespace: SYSTEM_NAMESPACE, name: 'manager', leaseMs: 30_000, renewMs: 20_000, retryMs: 5_000 }
const RESTART_MS = 1_000
/** In the body of a status that records an attempt to create. */
const ATTEMPT = '"effect":"create"'

/** The hub as a process on a disk: it crashes, and comes back with what was synced. */
export class HubProcess {
  readonly #simulation: Simulation
  readonly #disk: SimulatedDisk
  #process: SimulatedProcess | undefined
  #server: HttpHandler | undefined
  /** Sees every request that reaches a living hub. */
  onRequest: (request: HttpRequest) => void = () => undefined

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.#disk = new SimulatedDisk(simulation)
  }

  /** Requests while it is down, and answers that it did not live to give, are broken connections. */
  readonly handle: HttpHandler = async (request) => {
    const process = this.#process
    if (this.#server === undefined || process === undefined) throw new NetworkError('The connection was refused.')
    this.onRequest(request)
    const response = await beforeDeath(process, this.#server(request))
    const { body } = response
    if (body === undefined || body instanceof Uint8Array) return response
    return { ...response, body: untilDeath(process, body) }
  }

  async start(): Promise<void> {
    const { random, clock } = this.#simulation
    for (;;) {
      const process = new SimulatedProcess(clock)
      try {
        const store = await openMemoryStore({ random, disk: this.#disk.mount() })
        const hub = await createHub({
          store,
          clock: process.clock,
          random,
          log: silentLogger,
          metrics: new Registry(),
          authenticator: createAuthenticator(),
          authorizer: createDefaultAuthorizer(),
        })
        this.#process = process
        this.#server = (request) => hub.handle(request, { user: { name: 'admin', groups: ['system:masters'] } })
        return
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        process.kill()
        this.#disk.crash()
        await this.#simulation.sleep(RESTART_MS)
      }
    }
  }

  /** Power loss, then a start after a while. */
  async crash(downMs: number): Promise<void> {
    const process = this.#process
    if (process === undefined) return
    this.#simulation.sometimes('hub crash')
    this.#process = undefined
    this.#server = undefined
    this.#disk.crash()
    process.kill()
    await this.#simulation.sleep(downMs)
    await this.start()
  }
}

async function beforeDeath<T>(process: SimulatedProcess, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const die = () => reject(new NetworkError('The connection broke.'))
  if (process.died.aborted) die()
  process.died.addEventListener('abort', die, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    process.died.removeEventListener('abort', die)
    // Whoever asked has gone; what comes of it later is nobody's.
    promise.catch(() => undefined)
    work.catch(() => undefined)
  }
}

async function* untilDeath(process: SimulatedProcess, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await beforeDeath(process, iterator.next())
      if (next.done === true) return
      yield next.value
    }
  } finally {
    if (!process.died.aborted) await iterator.return?.()
  }
}

/** What every manager of a world runs against. */
export interface ManagedParts {
  readonly simulation: Simulation
  readonly hub: HubProcess
  readonly network: SimulatedNetwork
  readonly system: FakeSystem
  /** A manager has just sent the record of an attempt, and does not know yet that it was taken. */
  readonly onAttempt: (manager: ManagerProcess) => void
}

/** One of the managers that compete for the lease: killed, paused, and started again when its lease is lost. */
export class ManagerProcess {
  readonly #parts: ManagedParts
  readonly #name: string
  #process: SimulatedProcess | undefined
  /** Whether this life could send something outside now. */
  #leads: () => boolean = () => false
  #isOver = false

  constructor(name: string, parts: ManagedParts) {
    this.#name = name
    this.#parts = parts
  }

  get isLeading(): boolean {
    return this.#leads()
  }

  /** Lives one life after the other until the world ends. */
  async run(): Promise<void> {
    const { simulation } = this.#parts
    for (let life = 1; !this.#isOver; life++) {
      const process = new SimulatedProcess(simulation.clock)
      this.#process = process
      this.#leads = () => false
      await Promise.race([this.#live(process, `${this.#name}-${life}`), death(process)])
      process.kill()
      simulation.trace(`${this.#name}-${life} ended`)
      await simulation.sleep(RESTART_MS * (1 + simulation.random.next()))
    }
  }

  kill(): void {
    this.#process?.kill()
  }

  async pause(forMs: number): Promise<void> {
    const process = this.#process
    if (process === undefined || process.isPaused) return
    process.pause()
    await this.#parts.simulation.sleep(forMs)
    process.resume()
  }

  end(): void {
    this.#isOver = true
    this.kill()
  }

  #watching(handler: HttpHandler): HttpHandler {
    return (request) => {
      const { method, body } = request
      const isAttempt = method === 'PUT' && body instanceof Uint8Array && Buffer.from(body).includes(ATTEMPT)
      const answer = handler(request)
      if (isAttempt) this.#parts.onAttempt(this)
      return answer
    }
  }

  async #live(process: SimulatedProcess, identity: string): Promise<void> {
    const { simulation } = this.#parts
    try {
      await this.#serve(process, identity)
    } catch (error) {
      // As a supervisor of processes: it ended, so it is started again. Only its clients' errors end it.
      simulation.trace(`${identity} failed: ${error instanceof Error ? error.name : String(error)}`)
    }
  }

  async #serve(process: SimulatedProcess, identity: string): Promise<void> {
    const { simulation, network, hub, system } = this.#parts
    const { mutant, random } = simulation
    const { clock } = process
    const plain = createClient({
      transport: this.#watching(process.connect(network.connect(hub.handle))),
      clock,
      random,
      userAgent: 'orrery-manager',
      timeoutMs: 15_000,
    })
    const client: Client = mutant?.client?.(plain) ?? plain
    const stop = new AbortController()
    process.died.addEventListener('abort', () => stop.abort(process.died.reason), { once: true })
    const install = { client, clock, signal: stop.signal }
    const faked = fakeProvider(system, (result) => process.hold(result))
    const provider = mutant?.provider?.(faked, random) ?? faked
    await ensureNamespace(SYSTEM_NAMESPACE, install)
    const hubId = await hubIdentity(install)
    await installDefinitions([provider], install)
    const hashKey = await ensureHashKey({ client, random, namespace: SYSTEM_NAMESPACE })
    const shared = { client, clock, random, log: silentLogger, identity }
    await using events = createEventRecorder({ ...shared, component: 'orrery-manager' })
    const manager = createManager({ ...shared, metrics: new Registry(), election: ELECTION })
    await using engine = createEngine({
      ...shared,
      manager,
      events,
      metrics: { externalCall: () => undefined },
      hub: hubId,
      systemNamespace: SYSTEM_NAMESPACE,
      hashKey,
    })
    engine.register([provider])
    manager.add(createNamespaceController({ clock, last: LAST }))
    addGarbageCollector({ manager, events, log: silentLogger })
    this.#leads = () => manager.leadership.validUntilMono() > clock.mono()
    await manager.run(stop.signal)
  }
}

const LAST = [
  { group: FAKE_GROUP, plural: 'providerconfigs' },
  { group: FAKE_GROUP, plural: 'servers' },
  { group: '', plural: 'secrets' },
]

function death(process: SimulatedProcess): Promise<void> {
  return new Promise((resolve) => {
    process.died.addEventListener('abort', () => resolve(), { once: true })
  })
}
