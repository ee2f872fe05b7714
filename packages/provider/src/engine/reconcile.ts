import type { Outcome } from '@orrery/runtime'
import { again, done } from '@orrery/runtime'
import type { Dependencies } from '../decide.ts'
import { decide } from '../decide.ts'
import type { Difference } from '../difference.ts'
import { differences, REDACTED } from '../difference.ts'
import { guard } from '../guard.ts'
import type { KindContext, Observation, OwnershipMark } from '../kind.ts'
import { allows, annotations, FINALIZER, IN_USE_FINALIZER, isObserveOnly } from '../managed.ts'
import { act, forget } from './act.ts'
import { isKindEnding } from './definition.ts'
import { pruneSettling, timedCall } from './effects.ts'
import { prepare } from './prepare.ts'
import { terminatingDependents } from './references.ts'
import { reportDrift, reportFailure, reportUnknown } from './report.ts'
import type { Session } from './session.ts'
import { conclude, concludeLate, settle } from './settle.ts'
import type { Work } from './work.ts'
import { isRecord } from './work.ts'

/** Effects in a row within one reconcile; a kind that needs more does not converge. */
const MAX_EFFECTS = 12

/**
 * settle → observe → diff → decide → guard → attempt → execute → outcome → status, for one object. Returns
 * when nothing is left to do, something has to be waited for, or an effect failed.
 */
export async function reconcileManaged(session: Session, priority: 'change' | 'resync'): Promise<Outcome> {
  const held = session.object.metadata.finalizers?.includes(FINALIZER) === true
  if (session.deleting && !held) return done
  if (session.object.metadata.annotations?.[annotations.paused] === 'true') {
    session.condition(
      'Synced',
      'False',
      'ReconcilePaused',
      `Paused by the annotation ${annotations.paused}; nothing is read or changed outside.`,
    )
    await session.commit()
    return done
  }
  if (session.deleting && hasNothingOutside(session)) return await forget(session, undefined)
  // Settling may send the open request again; nothing is made for an object that goes with its kind.
  if (session.deleting && session.status.attempt !== undefined && (await isKindEnding(session)))
    return await forget(session, undefined)
  const work = await prepare(session, priority)
  if (!('context' in work)) return work
  for (let effects = 0; effects < MAX_EFFECTS; effects += 1) {
    const outcome = await step(work)
    if (outcome !== undefined) return outcome
  }
  session.condition(
    'Synced',
    'False',
    'NotConverging',
    `Still different after ${MAX_EFFECTS} changes in a row; somebody may be changing it at the same time.`,
  )
  session.event('Warning', 'NotConverging', 'The external thing changes as fast as it is corrected.')
  await session.commit()
  return again(session.entry.definition.poll?.maxMs ?? 600_000)
}

// Without a record and without an attempt nothing was ever made for this object.
function hasNothingOutside(session: Session): boolean {
  const { external, attempt, settling } = session.status
  return (
    attempt === undefined &&
    ((external === undefined && settling === undefined) || !allows(session.object.spec, 'Delete'))
  )
}

/** One round. Undefined means: something was done, look again. */
async function step(work: Work): Promise<Outcome | undefined> {
  const { session } = work
  const settled = await settle(session, currentContext(work), work.access)
  // Settling may have found the external thing.
  const context = currentContext(work)
  if (settled.state === 'again') {
    session.condition('Synced', 'Unknown', settled.reason, settled.message)
    if (session.status.external === undefined) session.condition('Ready', 'False', settled.reason, settled.message)
    await session.commit()
    return again(settled.afterMs)
  }
  if (settled.state === 'failed') return await reportFailure(session, settled.error)
  // What was seen is judged as of when it was asked for: this process may have slept since.
  const lookedAtMs = session.world.clock.now()
  const observed = await observe(work, context)
  if ('error' in observed) return await reportFailure(session, observed.error)
  const { observation } = observed
  if (settled.state === 'observe') conclude(session, settled, { observation, lookedAtMs })
  concludeLate(session, observation)
  const found = observation.state === 'present' ? compare(work, observation) : []
  const drifted = found.length > 0 && session.status.syncedGeneration === session.generation && !secretsChanged(work)
  const decision = decide({
    desired: desiredOf(session),
    record: {
      external: session.status.external,
      settlingUntilMs: pruneSettling(session, { observation, lookedAtMs }),
      unsettled: settled.state === 'ask',
      mark: context.mark,
    },
    observation,
    differences: found,
    dependencies: dependencies(work),
    maxReadLagMs: session.entry.definition.maxReadLagMs ?? 0,
    nowMs: lookedAtMs,
  })
  if (decision.type === 'unknown' && settled.state === 'ask') {
    return await reportUnknown(session, { decision, attempt: settled.attempt, candidates: settled.candidates })
  }
  if (observation.state === 'present') reportDrift(session, found, drifted)
  const verdict = guard({
    decision,
    spec: session.object.spec,
    drifted,
    dataBearing: session.entry.definition.dataBearing,
    notEmpty: observation.state === 'present' ? observation.notEmpty : undefined,
    isBeingMade: session.status.external?.ownership === 'Created' && session.status.syncedGeneration === undefined,
  })
  return await act({ work, context, observation, decision, verdict, drifted, found })
}

function currentContext({ context, session }: Work): KindContext {
  const { external } = session.status
  return {
    ...context,
    externalName: session.externalName,
    externalId: external?.id,
    owned: external !== undefined,
    recorded: session.status.atProvider,
  }
}

async function observe(
  work: Work,
  context: KindContext,
): Promise<{ readonly observation: Observation } | { readonly error: unknown }> {
  const { session } = work
  try {
    const observation = await timedCall(
      session,
      { verb: 'observe', timeoutMs: session.world.timing.observeTimeoutMs, ...work.access },
      async (signal) => session.entry.definition.observe({ ...context, signal }),
    )
    if (observation.state === 'present' && isRecord(observation.atProvider))
      session.set({ atProvider: observation.atProvider })
    return { observation }
  } catch (error) {
    return { error }
  }
}

function compare(work: Work, observation: Extract<Observation, { state: 'present' }>): readonly Difference[] {
  const { session, context, hashes } = work
  const schema = session.entry.definition.forProvider.json
  const desired = isRecord(context.desired) ? context.desired : {}
  const observed = isRecord(observation.atProvider) ? observation.atProvider : {}
  const inEffect = session.status.credentialHashes ?? {}
  const secrets = Object.keys(hashes).filter((name) => hashes[name] !== inEffect[name])
  const marked = observation.mark === undefined || isMark(observation.mark, context.mark)
  const hidden = [...new Set([...secrets, ...(observation.changed ?? []), ...(marked ? [] : ['mark'])])]
  return [
    ...differences(desired, observed, schema),
    ...hidden.map((path) => ({ path, desired: REDACTED, actual: REDACTED, immutable: false })),
  ]
}

const isMark = (found: OwnershipMark | null, ours: OwnershipMark) => found?.hub === ours.hub && found.uid === ours.uid

function secretsChanged(work: Work): boolean {
  const inEffect = work.session.status.credentialHashes ?? {}
  return Object.entries(work.hashes).some(([name, hash]) => inEffect[name] !== hash)
}

function desiredOf(session: Session) {
  const { spec, metadata } = session.object
  return {
    deleting: session.deleting,
    adopt: metadata.annotations?.[annotations.adopt] === 'true',
    observeOnly: isObserveOnly(spec),
    mayDelete: allows(spec, 'Delete'),
    lossPolicy: spec.lossPolicy ?? (session.entry.definition.dataBearing ? ('Report' as const) : ('Recreate' as const)),
  }
}

function dependencies(work: Work): Dependencies {
  const { session } = work
  if (session.deleting) {
    if (session.object.metadata.finalizers?.includes(IN_USE_FINALIZER) === true) {
      return { state: 'waiting', message: 'Objects that live in it, or reach something through it, still exist.' }
    }
    const first = terminatingDependents(session.world, session.entry, session.object)
    if (first.length === 0) return { state: 'ready' }
    return { state: 'waiting', message: `${first.slice(0, 3).join(', ')} refers to it and is deleted first.` }
  }
  if (work.missing !== undefined) return { state: 'waiting', message: work.missing }
  if (!work.held)
    return {
      state: 'waiting',
      message: 'The ProviderConfig, its Secret or its instance is not protected yet, or is being deleted.',
    }
  return { state: 'ready' }
}
