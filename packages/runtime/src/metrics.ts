import type { Registry } from 'prom-client'
import { Counter, Gauge, Histogram } from 'prom-client'

export type ReconcileResult = 'success' | 'requeue_after' | 'requeue' | 'error' | 'terminal_error'

/** Reconciles and waits from a millisecond to ten minutes. */
const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600]

/** What one controller reports. */
export interface ControllerMetrics {
  reconciled(result: ReconcileResult, seconds: number): void
  added(): void
  retried(): void
  waited(seconds: number): void
  state(state: { readonly depth: number; readonly working: number }): void
  /** Takes the controller's series away. */
  remove(): void
}

export interface RuntimeMetrics {
  controller(name: string, concurrency: number): ControllerMetrics
  leader(name: string, isLeader: boolean): void
  /** Refreshes the gauges that are read, not pushed, at each scrape. */
  collect(source: () => { readonly informers: readonly InformerSample[]; readonly loopLagSeconds: number }): void
}

export interface InformerSample {
  readonly name: string
  readonly objects: number
  readonly idleSeconds: number
  readonly synced: boolean
}

/** The metrics controller-runtime and client-go users know, by the same names, on the given registry. */
export function createRuntimeMetrics(registry: Registry): RuntimeMetrics {
  const registers = [registry]
  const byController = { labelNames: ['controller'] as const, registers }
  const byName = { labelNames: ['name'] as const, registers }
  const byKind = { labelNames: ['kind'] as const, registers }
  const total = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Total number of reconciliations per controller and result.',
    labelNames: ['controller', 'result'] as const,
    registers,
  })
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Total number of reconciliation errors per controller.',
    ...byController,
  })
  const terminal = new Counter({
    name: 'controller_runtime_terminal_reconcile_errors_total',
    help: 'Total number of terminal reconciliation errors per controller.',
    ...byController,
  })
  const duration = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Length of time per reconciliation per controller.',
    buckets: SECONDS,
    ...byController,
  })
  const workers = new Gauge({
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'Maximum number of concurrent reconciles per controller.',
    ...byController,
  })
  const active = new Gauge({
    name: 'controller_runtime_active_workers',
    help: 'Number of currently used workers per controller.',
    ...byController,
  })
  const depth = new Gauge({ name: 'workqueue_depth', help: 'Current depth of the workqueue.', ...byName })
  const adds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Total number of adds handled by the workqueue.',
    ...byName,
  })
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Total number of retries handled by the workqueue.',
    ...byName,
  })
  const latency = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long an item stays in the workqueue before being taken, in seconds.',
    buckets: SECONDS,
    ...byName,
  })
  const leader = new Gauge({
    name: 'leader_election_master_status',
    help: 'Whether this process holds the lease: 1 leader, 0 follower.',
    ...byName,
  })
  const objects = new Gauge({ name: 'orrery_informer_objects', help: 'Objects in the view of an informer.', ...byKind })
  const idle = new Gauge({
    name: 'orrery_informer_idle_seconds',
    help: 'Time since an informer last heard from the server.',
    ...byKind,
  })
  const synced = new Gauge({
    name: 'orrery_informer_synced',
    help: 'Whether an informer holds a complete list.',
    ...byKind,
  })
  const lag = new Gauge({
    name: 'orrery_event_loop_lag_seconds',
    help: 'Longest delay of the event loop in the last minute.',
    registers,
  })

  return {
    controller(name, concurrency) {
      workers.set({ controller: name }, concurrency)
      return {
        reconciled(result, seconds) {
          total.inc({ controller: name, result })
          duration.observe({ controller: name }, seconds)
          if (result === 'error' || result === 'terminal_error') errors.inc({ controller: name })
          if (result === 'terminal_error') terminal.inc({ controller: name })
        },
        added: () => adds.inc({ name }),
        retried: () => retries.inc({ name }),
        waited: (seconds) => latency.observe({ name }, seconds),
        state(state) {
          depth.set({ name }, state.depth)
          active.set({ controller: name }, state.working)
        },
        remove() {
          for (const metric of [duration, workers, active, errors, terminal]) metric.remove({ controller: name })
          for (const metric of [depth, adds, retries, latency]) metric.remove({ name })
        },
      }
    },
    leader: (name, isLeader) => leader.set({ name }, isLeader ? 1 : 0),
    collect(source) {
      // prom-client calls `collect` of each metric at a scrape; one of them refreshes all.
      Object.assign(lag, {
        collect: () => {
          const { informers, loopLagSeconds } = source()
          lag.set(loopLagSeconds)
          objects.reset()
          idle.reset()
          synced.reset()
          for (const sample of informers) {
            objects.set({ kind: sample.name }, sample.objects)
            idle.set({ kind: sample.name }, sample.idleSeconds)
            synced.set({ kind: sample.name }, sample.synced ? 1 : 0)
          }
        },
      })
    },
  }
}
