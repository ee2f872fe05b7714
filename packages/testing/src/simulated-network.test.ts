import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HttpHandler, HttpRequest } from '@orrery/api'
import { NetworkError, type NetworkFaults, SimulatedNetwork } from './simulated-network.ts'
import { Simulation } from './simulation.ts'

/** Runs one request under certain faults; how often the server executed, when, and what the client saw. */
async function ask(faults: Partial<NetworkFaults>, method = 'POST') {
  const executedAtMs: number[] = []
  let outcome = 'none'
  let answeredAtMs = 0
  const result = await new Simulation({ seed: 1 }).run({
    name: 'one request',
    goals: [],
    run: async (simulation) => {
      const server: HttpHandler = async () => {
        executedAtMs.push(simulation.clock.mono())
        return { status: 200, headers: {}, body: chunks() }
      }
      const request: HttpRequest = { method, target: '/', headers: {}, signal: new AbortController().signal }
      const client = new SimulatedNetwork(simulation, faults).connect(server)
      try {
        const { body } = await client(request)
        assert.ok(body !== undefined && !(body instanceof Uint8Array))
        for await (const chunk of body) outcome = String(chunk[0])
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error
        outcome = 'broken'
      }
      answeredAtMs = simulation.clock.mono()
      await simulation.sleep(60_000)
    },
  })
  assert.deepEqual(result.violations, [])
  return { executions: executedAtMs.length, outcome, isLate: (executedAtMs[0] ?? 0) > answeredAtMs }
}

async function* chunks(): AsyncIterable<Uint8Array> {
  yield Uint8Array.of(1)
  yield Uint8Array.of(2)
}

for (const { name, faults, method, want } of [
  { name: 'a good network delivers', faults: {}, method: 'POST', want: { executions: 1, outcome: '2', isLate: false } },
  {
    name: 'a lost request is never executed',
    faults: { lost: 1 },
    method: 'POST',
    want: { executions: 0, outcome: 'broken', isLate: false },
  },
  {
    name: 'a lost answer hides an executed request',
    faults: { answerLost: 1 },
    method: 'POST',
    want: { executions: 1, outcome: 'broken', isLate: false },
  },
  {
    name: 'a late request is executed after the client gave up',
    faults: { late: 1, maxLateMs: 30_000 },
    method: 'POST',
    want: { executions: 1, outcome: 'broken', isLate: true },
  },
  {
    name: 'reads may be delivered twice',
    faults: { duplicated: 1 },
    method: 'GET',
    want: { executions: 2, outcome: '2', isLate: false },
  },
  {
    name: 'writes are never delivered twice',
    faults: { duplicated: 1 },
    method: 'POST',
    want: { executions: 1, outcome: '2', isLate: false },
  },
  {
    name: 'a stream can break',
    faults: { cut: 1 },
    method: 'GET',
    want: { executions: 1, outcome: 'broken', isLate: false },
  },
]) {
  test(name, async () => assert.deepEqual(await ask(faults, method), want))
}
