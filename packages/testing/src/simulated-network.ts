import type { HttpHandler, HttpRequest, HttpResponse } from '@orrery/api'
import type { Simulation } from './simulation.ts'

/** What a network does wrong, as probabilities per request, and its delays. */
export interface NetworkFaults {
  /** The request never arrives. */
  readonly lost: number
  /** The request is executed, the answer never arrives. */
  readonly answerLost: number
  /** The client gives up, and only then the request is executed. */
  readonly late: number
  /** A read is delivered twice. */
  readonly duplicated: number
  /** Per chunk of a streamed answer: the stream breaks before it. */
  readonly cut: number
  readonly maxDelayMs: number
  /** How long after the client gave up a late request may still be executed. */
  readonly maxLateMs: number
}

/** The connection broke: whether the server acted is unknown. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
}

const noFaults: NetworkFaults = { lost: 0, answerLost: 0, late: 0, duplicated: 0, cut: 0, maxDelayMs: 5, maxLateMs: 0 }
/** A client notices a silent peer after this time. */
const SILENCE_MS = 10_000

/** Lies between a client and a server, both in this process. */
export class SimulatedNetwork {
  readonly #simulation: Simulation
  readonly #faults: NetworkFaults
  /** While true, nothing arrives in either direction. */
  isPartitioned = false

  constructor(simulation: Simulation, faults: Partial<NetworkFaults> = {}) {
    this.#simulation = simulation
    this.#faults = { ...noFaults, ...faults }
    simulation.onHeal(() => {
      this.isPartitioned = false
    })
  }

  /** The server as clients behind this network see it. */
  connect(server: HttpHandler): HttpHandler {
    return async (request) => {
      const simulation = this.#simulation
      await this.#delay(request.signal)
      if (this.isPartitioned || simulation.strikes(this.#faults.lost)) return this.#silence(request, 'request lost')
      if (simulation.strikes(this.#faults.late)) {
        simulation.sometimes('executed after the client gave up')
        this.#executeLate(server, request)
        throw new NetworkError('The connection broke')
      }
      if (request.method === 'GET' && simulation.strikes(this.#faults.duplicated)) {
        simulation.sometimes('read delivered twice')
        await discard(await server(request))
      }
      const response = await server(request)
      if (this.isPartitioned || simulation.strikes(this.#faults.answerLost)) {
        await discard(response)
        return this.#silence(request, 'answer lost')
      }
      await this.#delay(request.signal)
      const { body } = response
      if (body === undefined || body instanceof Uint8Array) return response
      return { ...response, body: this.#stream(body) }
    }
  }

  #delay(signal?: AbortSignal): Promise<void> {
    return this.#simulation.sleep(this.#simulation.random.next() * this.#faults.maxDelayMs, signal)
  }

  async #silence(request: HttpRequest, goal: string): Promise<never> {
    this.#simulation.sometimes(goal)
    this.#simulation.trace(`${goal} ${request.method} ${request.target}`)
    await this.#simulation.sleep(SILENCE_MS, request.signal)
    throw new NetworkError('The peer was silent')
  }

  #executeLate(server: HttpHandler, request: HttpRequest): void {
    const delayMs = this.#simulation.random.next() * this.#faults.maxLateMs
    this.#simulation.clock.schedule(delayMs, () => {
      // The client is gone, so its abort no longer reaches the request.
      server({ ...request, signal: new AbortController().signal })
        .then(discard)
        .catch((error: unknown) => {
          // A server that is down does not execute it at all.
          if (!(error instanceof NetworkError)) this.#simulation.violate(`the server threw: ${String(error)}`)
        })
    })
  }

  async *#stream(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of body) {
      if (this.isPartitioned || this.#simulation.strikes(this.#faults.cut)) {
        this.#simulation.sometimes('stream cut')
        throw new NetworkError('The stream broke')
      }
      await this.#delay()
      yield chunk
    }
  }
}

/** Ends a streamed answer that nobody reads. */
async function discard({ body }: HttpResponse): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) return
  await body[Symbol.asyncIterator]().return?.()
}
