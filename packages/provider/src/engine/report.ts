import { formatTime } from '@orrery/api'
import type { Outcome } from '@orrery/runtime'
import { again, done } from '@orrery/runtime'
import type { Decision } from '../decide.ts'
import type { Difference } from '../difference.ts'
import { MAX_DIFFERENCES, REDACTED, showValue } from '../difference.ts'
import { ExternalError, NotSentError } from '../errors.ts'
import type { Verdict } from '../guard.ts'
import type { Observation } from '../kind.ts'
import type { Attempt } from '../safety.ts'
import { publishConnection } from './connection.ts'
import { timedCall } from './effects.ts'
import { DEFAULT_POLL, nextPollMs } from './polling.ts'
import type { Session } from './session.ts'
import type { Work } from './work.ts'

/** How the end of a reconcile is told: conditions for users, events once, status written once. */

/** Something that only a change of the spec or of the outside helps is looked at again this seldom. */
const USER_ERROR_RETRY_MS = 60_000

export async function reportWait(
  session: Session,
  wait: { readonly reason: string; readonly message: string; readonly untilMs?: number },
): Promise<Outcome> {
  const exists = session.status.external !== undefined
  const lost = wait.reason === 'ExternalMissing' || wait.reason === 'OwnedByAnother'
  session.condition('Ready', exists && !lost ? 'Unknown' : 'False', wait.reason, wait.message)
  session.condition('Synced', wait.reason === 'AlreadyExists' ? 'False' : 'Unknown', wait.reason, wait.message)
  if (lost) {
    session.condition('UpToDate', 'False', wait.reason, wait.message)
    if (session.object.status?.conditions?.find((c) => c.type === 'Ready')?.reason !== wait.reason)
      session.event('Warning', wait.reason, wait.message)
  }
  session.set({
    plan: {
      action: session.deleting ? 'delete' : exists ? 'none' : 'create',
      reason: wait.reason,
      message: wait.message,
    },
  })
  await session.commit()
  if (wait.untilMs !== undefined) return again(Math.max(wait.untilMs - session.world.clock.now(), 0))
  // Events wake what waits for other objects; what waits for the outside has to look.
  return wait.reason === 'Waiting' || wait.reason === 'InvalidProviderConfig' ? done : poll(session, { changed: false })
}

export async function reportUnknown(
  session: Session,
  unknown: {
    readonly decision: Extract<Decision, { type: 'unknown' }>
    readonly attempt?: Attempt
    readonly candidates?: readonly string[]
  },
): Promise<Outcome> {
  const { attempt, candidates = [] } = unknown
  const { reason, message } = unknown.decision
  const found = candidates.length === 0 ? '' : ` Candidates: ${candidates.slice(0, 10).join(', ')}.`
  const ask =
    attempt === undefined
      ? ''
      : `${found} Annotate orrery.dev/settle=${attempt.id}:adopt=<external id>, or :retry, or :abandon.`
  session.condition('Ready', 'Unknown', reason, `${message}${ask}`)
  session.condition('Synced', 'Unknown', reason, `${message}${ask}`)
  if (await session.commit()) session.event('Warning', reason, `${message}${ask}`)
  return poll(session, { changed: false })
}

/** An external call failed. The condition says who can act; the queue's back-off decides when to try again. */
export async function reportFailure(session: Session, error: unknown): Promise<Outcome> {
  if (session.signal.aborted) throw error
  if (error instanceof NotSentError) {
    // Nobody's fault and nothing to tell: the window ran out, and the object is taken up again. But the
    // attempt must not stay open, or its outcome would count as unknown.
    await session.commit()
    throw error
  }
  if (!(error instanceof ExternalError)) {
    session.condition(
      'Synced',
      'False',
      'InternalError',
      'The provider failed in an unexpected way; the log of the manager has the details.',
    )
    await session.commit()
    throw error
  }
  session.condition('Synced', 'False', error.reason, error.message)
  if (error.class === 'transient') session.world.suspect(session.entry, session.object)
  if (error.class === 'transient' || error.class === 'unknown') {
    const exists = session.status.external !== undefined
    session.condition('Ready', exists ? 'Unknown' : 'False', error.reason, error.message)
  } else if (session.status.external === undefined) {
    session.condition('Ready', 'False', error.reason, error.message)
  }
  if (await session.commit()) session.event('Warning', error.reason, error.message)
  if (error.class === 'user') return again(USER_ERROR_RETRY_MS)
  if (error.class === 'throttled' && error.retryAfterMs !== undefined) return again(error.retryAfterMs)
  throw error
}

/** A decided action may not be taken. What exists is still probed: Ready does not depend on it. */
export async function reportHeld(
  work: Work,
  held: {
    readonly verdict: Exclude<Verdict, { type: 'allowed' }>
    readonly decision: Decision
    readonly observation: Observation
  },
): Promise<Outcome> {
  const { session } = work
  const { verdict, decision, observation } = held
  session.set({ plan: { action: decision.type, reason: verdict.reason, message: verdict.message } })
  session.condition('UpToDate', 'False', verdict.reason, verdict.message)
  if (verdict.type === 'denied') {
    session.condition('Synced', 'False', verdict.reason, verdict.message)
    const before = session.object.status?.conditions?.find((condition) => condition.type === 'Synced')
    if (before?.reason !== verdict.reason) session.event('Warning', verdict.reason, verdict.message)
  } else {
    session.condition('Synced', 'True', 'ReconcileSuccess', '')
  }
  if (observation.state === 'present') return await proveReady(work, observation)
  session.condition('Ready', 'False', verdict.reason, verdict.message)
  await session.commit()
  return poll(session, { changed: false })
}

/**
 * A deletion waits for what depends on the thing, and what depends on it needs it to come apart: until then it
 * is as ready as it can be proved to be.
 */
export async function reportDeletionWaits(
  work: Work,
  wait: { readonly reason: string; readonly message: string },
  observation: Extract<Observation, { state: 'present' }>,
): Promise<Outcome> {
  const { session } = work
  session.set({ plan: { action: 'delete', reason: wait.reason, message: wait.message } })
  session.condition('Synced', 'True', wait.reason, wait.message)
  return await proveReady(work, observation)
}

/** Nothing is left to do: everything agrees, or is only looked at and may differ. */
export async function finish(
  work: Work,
  observation: Observation,
  differences: readonly Difference[],
): Promise<Outcome> {
  const { session } = work
  session.condition('Synced', 'True', 'ReconcileSuccess', '')
  session.set({ observedGeneration: session.generation })
  if (differences.length === 0) {
    session.condition('UpToDate', 'True', 'NoDifference', '')
    session.clear('drift')
    session.set({ syncedGeneration: session.generation })
  } else {
    session.condition(
      'UpToDate',
      'False',
      'ObserveOnly',
      'It differs from spec.forProvider, and spec.managementPolicies allows nothing but Observe.',
    )
  }
  if (Object.keys(work.references.resolved).length === 0) session.clear('references')
  if (observation.state !== 'present') {
    await session.commit()
    return poll(session, { changed: false })
  }
  return await proveReady(work, observation)
}

async function proveReady(work: Work, observation: Extract<Observation, { state: 'present' }>): Promise<Outcome> {
  const { session, context } = work
  const { definition } = session.entry
  let ready = true
  try {
    const probe =
      definition.probe === undefined
        ? { state: 'ready' as const }
        : await timedCall(
            session,
            { verb: 'probe', timeoutMs: session.world.timing.observeTimeoutMs, ...work.access },
            async (signal) =>
              await definition.probe?.(
                { ...context, externalName: session.externalName, signal },
                observation.atProvider,
              ),
          )
    if (probe?.state === 'not-ready') {
      ready = false
      session.condition('Ready', 'False', probe.reason, probe.message)
    } else {
      session.condition('Ready', 'True', 'Available', '')
    }
  } catch (error) {
    return await reportFailure(session, error)
  }
  await publish(work, observation)
  const changed = await session.commit()
  return ready
    ? poll(session, { changed })
    : again(
        nextPollMs({ minMs: 1_000, maxMs: 30_000 }, session.entry.memory.quietPolls(session.key), session.world.random),
      )
}

async function publish(work: Work, observation: Extract<Observation, { state: 'present' }>): Promise<void> {
  const { session, context } = work
  const { definition } = session.entry
  const values = definition.connection?.({ ...context, externalName: session.externalName }, observation.atProvider)
  if (values === undefined) return
  const published = await publishConnection(session, values)
  if (published.state === 'refused') {
    session.condition('Synced', 'False', 'SecretNotOurs', published.message)
    session.condition('Ready', 'False', 'SecretNotOurs', published.message)
  }
}

/** `status.drift`, with the time since when each field differs, and the event when it first does. */
export function reportDrift(session: Session, found: readonly Difference[], drifted: boolean): void {
  if (found.length === 0) return
  const before = new Map((session.status.drift ?? []).map((entry) => [entry.path, entry.since]))
  const now = formatTime(session.world.clock.now())
  const drift = found.slice(0, MAX_DIFFERENCES).map((difference) => ({
    path: difference.path,
    desired: showValue(difference.desired),
    actual: showValue(difference.actual),
    since: before.get(difference.path) ?? now,
  }))
  session.set({ drift })
  if (!drifted || drift.every((entry) => before.has(entry.path))) return
  const fields = drift
    .map(({ path, desired, actual }) =>
      desired === REDACTED ? `${path} changed` : `${path}: want ${desired}, is ${actual}`,
    )
    .join('; ')
  const more = found.length > MAX_DIFFERENCES ? ` and ${found.length - MAX_DIFFERENCES} more` : ''
  session.event('Warning', 'DriftDetected', `Changed outside: ${fields}${more}.`)
}

function poll(session: Session, options: { readonly changed: boolean }): Outcome {
  const { entry, world } = session
  const quiet = options.changed ? 0 : entry.memory.quietPolls(session.key)
  entry.memory.setQuiet(session.key, quiet + 1)
  return again(nextPollMs(entry.definition.poll ?? DEFAULT_POLL, quiet, world.random))
}
