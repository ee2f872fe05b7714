import type { Clock } from '@orrery/api'
import type { Election } from './election.ts'
import { STALL_MS } from './event-loop.ts'
import type { Health } from './manager.ts'
import type { RunnableController } from './run-controller.ts'
import type { InformerState } from './shared-informers.ts'

/** A broken watch is retried within half a minute; one that is still broken after this is a fault somebody must see. */
export const INFORMER_FAILURE_MS = 60_000
/** Longer than any watch lives: without a sign of life for this long an informer hangs. */
export const INFORMER_SILENCE_MS = 11 * 60_000

interface Parts {
  readonly clock: Clock
  readonly isRunning: boolean
  readonly election: Election | undefined
  readonly informers: readonly InformerState[]
  readonly controllers: readonly RunnableController[]
  readonly loopLagMs: number
}

/** What makes no progress, and why. Ready: everything is well and every view is complete, also on a standby. */
export function healthOf(parts: Parts): Health {
  const checks = [
    loopCheck(parts.loopLagMs),
    ...(parts.election === undefined ? [] : [electionCheck(parts.election)]),
    ...parts.informers.map((state) => informerCheck(state, parts.clock.mono())),
    ...parts.controllers.map(controllerCheck),
  ]
  const isComplete = parts.informers.every((state) => state.informer.synced)
  return { ready: parts.isRunning && isComplete && checks.every((check) => check.ok), checks }
}

type Check = Health['checks'][number]

const checkOf = (name: string, message: string | undefined): Check =>
  message === undefined ? { name, ok: true } : { name, ok: false, message }

function loopCheck(lagMs: number): Check {
  return checkOf('event-loop', lagMs > STALL_MS ? `The event loop stood still for ${Math.round(lagMs)} ms.` : undefined)
}

function electionCheck(election: Election): Check {
  return checkOf('lease', election.failure)
}

function informerCheck({ name, informer }: InformerState, nowMono: number): Check {
  const { failure } = informer
  const silenceMs = nowMono - informer.progressMono
  if (failure !== undefined && nowMono - failure.sinceMono > INFORMER_FAILURE_MS) {
    return checkOf(`informer ${name}`, `Cannot follow the server: ${failure.message}`)
  }
  const isSilent = silenceMs > INFORMER_SILENCE_MS
  return checkOf(`informer ${name}`, isSilent ? `Nothing heard for ${Math.round(silenceMs / 1000)} s.` : undefined)
}

function controllerCheck(controller: RunnableController): Check {
  const stuck = controller.stuck()
  const message = stuck.length === 0 ? undefined : `Reconciles ignore their deadline: ${stuck.slice(0, 10).join(', ')}.`
  return checkOf(`controller ${controller.name}`, message)
}
