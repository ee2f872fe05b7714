import type { Clock, Logger, Random } from '@orrery/api'
import type { Client } from '@orrery/client'
import type { Registry } from 'prom-client'
import type { Controller, ControllerOptions, Informers } from './controller.ts'

export interface ManagerOptions {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Registry
  /** Of this process, unique per start: host name, pid and a random part. */
  readonly identity: string
  /** Runs controllers only while holding this lease. Absent: no election (tests). */
  readonly election?: {
    readonly namespace: string
    readonly name: string
    /** Others wait this long after the last renewal they saw. client-go: 15 s. */
    readonly leaseMs: number
    /** The holder gives up this long after its last successful renewal; less than `leaseMs`. client-go: 10 s. */
    readonly renewMs: number
    /** Between renewals, and between attempts to acquire. client-go: 2 s. */
    readonly retryMs: number
  }
}

/** The right to act, as external effects must prove it right before they are sent. */
export interface Leadership {
  /** Counts holders of the lease (`leaseTransitions`); a later holder has a greater epoch. 0 without election. */
  readonly epoch: number
  /** Monotonic time until which nobody else can hold the lease, by this process's clock. Infinity without election. */
  validUntilMono(): number
}

export interface Health {
  readonly ready: boolean
  /** Progress, not mere existence: a stalled informer, queue or lease is unhealthy and says why. */
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly message?: string }[]
}

export interface Manager {
  readonly informers: Informers
  readonly leadership: Leadership
  /** Adds a controller, before or while running (kinds are registered and removed at run time). */
  add(options: ControllerOptions): Controller
  /** Stops one controller and waits for its work; its informers stop when nobody else uses them. */
  remove(name: string): Promise<void>
  /** Supervises everything until `signal` aborts: waits for running reconciles, then releases the lease. Rejects when a part fails for good or the lease is lost. */
  run(signal: AbortSignal): Promise<void>
  health(): Health
}
