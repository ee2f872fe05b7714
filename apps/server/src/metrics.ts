import type { EngineMetrics } from '@orrery/provider'
import type { Registry } from 'prom-client'
import { Histogram } from 'prom-client'

/** Calls to external systems, as Prometheus sees them. */
export function createEngineMetrics(registry: Registry): EngineMetrics {
  const calls = new Histogram({
    name: 'orrery_external_call_duration_seconds',
    help: 'Calls to external systems by kind, verb and result.',
    labelNames: ['kind', 'verb', 'result'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  })
  return {
    externalCall(labels, seconds) {
      calls.observe({ ...labels }, seconds)
    },
  }
}
