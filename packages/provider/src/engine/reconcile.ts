import type { Outcome } from '@orrery/runtime'
import { again, done } from '@orrery/runtime'
import type { Decision, Dependencies } from '../decide.ts'
import { decide } from '../decide.ts'
import type { Difference } from '../difference.ts'
import { differences, REDACTED } from '../difference.ts'
import type { Verdict } from '../guard.ts'
import { guard } from '../guard.ts'
import type { KindContext, Observation, OwnershipMark } from '../kind.ts'
import { allows, annotations, FINALIZER, IN_USE_FINALIZER } from '../managed.ts'
import { acquireClaim, releaseClaim } from './claims.ts'
import { resolveAccess } from './config.ts'
import { resolveCredentials } from './credentials.ts'
import { isKindEnding } from './definition.ts'
import { pruneSettling, runEffect, timedCall } from './effects.ts'
import type { ResolvedReferences } from './references.ts'
import { relatedObject, resolveReferences, terminatingDependents } from './references.ts'
import {
  finish,
  reportDeletionWaits,
  reportDrift,
  reportFailure,
  reportHeld,
  reportUnknown,
  reportWait,
} from './report.ts'
import type { Session } from './session.ts'
import { conclude, recordCreated, settle } from './settle.ts'
import type { Work } from './work.ts'

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

async function prepare(session: Session, priority: 'change' | 'resync'): Promise<Work | Outcome> {
  const { world, entry, object } = session
  const references = resolveReferences(world, entry, object)
  if (Object.keys(references.resolved).length > 0) session.set({ references: references.resolved })
  try {
    session.desired = normalized(session, references)
  } catch (error) {
    return await reportFailure(session, error)
  }
  const access = resolveAccess(world, entry, object)
  if (access.state === 'waiting') return await reportWait(session, { reason: 'Waiting', message: access.message })
  if (access.state === 'invalid')
    return await reportWait(session, { reason: 'InvalidProviderConfig', message: access.message })
  warnOfRename(session)
  const credentials = await resolveCredentials(session, session.desired)
  if (credentials.state === 'waiting' && !session.deleting) {
    return await reportWait(session, { reason: 'Waiting', message: credentials.message })
  }
  const context: KindContext = {
    client: access.connection?.client,
    externalName: session.externalName,
    externalId: session.status.external?.id,
    desired: session.desired,
    credentials: credentials.state === 'ready' ? credentials.values : {},
    mark: { hub: world.hub, uid: object.metadata.uid ?? '' },
    owned: session.status.external !== undefined,
    deleting: session.deleting,
    forceDestroy: object.spec.forceDestroy === true,
    related: (field) => relatedObject(world, entry, session.withDraft(), field),
    recorded: session.status.atProvider,
    object: { namespace: object.metadata.namespace ?? '', name: object.metadata.name },
    clock: world.clock,
    log: world.log,
    signal: session.signal,
  }
  return {
    session,
    priority,
    access: { connection: access.connection, priority },
    held: access.held,
    references,
    context,
    hashes: credentials.state === 'ready' ? credentials.hashes : {},
    missing: references.waiting,
  }
}

/** In the system's spelling. What is wrong with a spec must not keep its object from being deleted. */
function normalized(session: Session, references: ResolvedReferences): Readonly<Record<string, unknown>> {
  try {
    const desired = session.entry.definition.normalize?.(references.desired)
    return isRecord(desired) ? desired : references.desired
  } catch (error) {
    if (session.deleting) return references.desired
    throw error
  }
}

function warnOfRename(session: Session): void {
  const { external } = session.status
  if (external === undefined || session.requestedName === external.name) return
  session.event(
    'Warning',
    'ExternalNameChanged',
    `${annotations.externalName} cannot change once the external thing exists (${external.name}).`,
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
  const observed = await observe(work, context)
  if ('error' in observed) return await reportFailure(session, observed.error)
  const { observation } = observed
  if (settled.state === 'observe') conclude(session, settled, observation)
  const found = observation.state === 'present' ? compare(work, observation) : []
  const drifted = found.length > 0 && session.status.syncedGeneration === session.generation && !secretsChanged(work)
  const decision = decide({
    desired: desiredOf(session),
    record: {
      external: session.status.external,
      settlingUntilMs: pruneSettling(session),
      unsettled: settled.state === 'ask',
      mark: context.mark,
    },
    observation,
    differences: found,
    dependencies: dependencies(work),
    maxReadLagMs: session.entry.definition.maxReadLagMs ?? 0,
    nowMs: session.world.clock.now(),
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
  const inEffect = session.status.credentials ?? {}
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
  const inEffect = work.session.status.credentials ?? {}
  return Object.entries(work.hashes).some(([name, hash]) => inEffect[name] !== hash)
}

function desiredOf(session: Session) {
  const { spec, metadata } = session.object
  return {
    deleting: session.deleting,
    adopt: metadata.annotations?.[annotations.adopt] === 'true',
    observeOnly: !allows(spec, 'Create') && !allows(spec, 'Update') && !allows(spec, 'Delete'),
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

interface Action {
  readonly work: Work
  readonly context: KindContext
  readonly observation: Observation
  readonly decision: Decision
  readonly verdict: Verdict
  readonly found: readonly Difference[]
  readonly drifted: boolean
}

async function act(action: Action): Promise<Outcome | undefined> {
  const { work, decision, verdict, observation } = action
  const { session } = work
  if (verdict.type !== 'allowed') return await reportHeld(work, { verdict, decision, observation })
  session.clear('plan')
  switch (decision.type) {
    case 'nothing':
      return await finish(work, observation, action.found)
    case 'wait':
      if (session.deleting && decision.reason === 'Waiting' && observation.state === 'present')
        return await reportDeletionWaits(work, decision, observation)
      return await reportWait(session, decision)
    case 'unknown':
      return await reportUnknown(session, { decision })
    case 'forget':
      return await forget(session, work)
    case 'adopt':
      return await adopt(action)
    case 'create':
      return await create(action)
    case 'update':
      return await effect(action, 'update')
    case 'replace':
      return await effect(action, 'delete')
    case 'delete':
      return await destroy(action)
  }
}

async function destroy(action: Action): Promise<Outcome | undefined> {
  const { work } = action
  const { session } = work
  if (!(await isKindEnding(session))) return await effect(action, 'delete')
  session.event('Warning', 'Orphaned', `The kind itself is being deleted; ${session.externalName} is left as it is.`)
  return await forget(session, work)
}

/** Finalizer, name and claim stand before anything may be outside in this object's name. */
async function hold(work: Work): Promise<Outcome | undefined> {
  const { session } = work
  await session.ensureHeld()
  const claim = await acquireClaim(session, work.access.connection?.identity ?? session.world.hub)
  if (claim.state === 'held') return undefined
  await reportWait(session, { reason: 'AlreadyExists', message: claim.message })
  return again(session.entry.definition.poll?.minMs ?? 60_000)
}

async function adopt(action: Action): Promise<Outcome | undefined> {
  const { work, observation, decision } = action
  const { session } = work
  const refused = await hold(work)
  if (refused !== undefined) return refused
  recordCreated(session, observation.state === 'present' ? observation.externalId : undefined)
  if (decision.type === 'adopt' && decision.how === 'annotation') {
    const { external } = session.status
    if (external !== undefined) session.set({ external: { ...external, ownership: 'Adopted' } })
    session.event('Normal', 'Adopted', `Took over what existed under the external name ${session.externalName}.`)
  }
  await session.commit()
  return undefined
}

async function create(action: Action): Promise<Outcome | undefined> {
  const { session } = action.work
  if (session.status.external !== undefined) {
    session.event('Warning', 'Recreating', 'The external thing has vanished and is made anew, as spec.lossPolicy says.')
    session.clear('external', 'credentials', 'syncedGeneration')
  }
  const refused = await hold(action.work)
  if (refused !== undefined) return refused
  return await effect(action, 'create')
}

async function effect(action: Action, name: 'create' | 'update' | 'delete'): Promise<Outcome | undefined> {
  const { work, context, observation, decision } = action
  const { session } = work
  const found = decision.type === 'update' ? decision.differences : []
  const atProvider =
    observation.state === 'present' && isRecord(observation.atProvider) ? observation.atProvider : undefined
  const outcome = await runEffect(session, {
    ...work.access,
    effect: name,
    context,
    changed: found.map((difference) => difference.path),
    observed: atProvider,
  })
  switch (outcome.state) {
    case 'done':
      recordDone(action, name, outcome.externalId)
      return undefined
    case 'pending':
      session.condition('Synced', 'True', 'InProgress', `The operation to ${name} it runs outside.`)
      await session.commit()
      return again(outcome.afterMs)
    case 'failed':
    case 'unknown':
      return await reportFailure(session, outcome.error)
  }
}

function recordDone(action: Action, name: 'create' | 'update' | 'delete', externalId: string | undefined): void {
  const { work, drifted } = action
  const { session } = work
  if (name === 'create') {
    recordCreated(session, externalId)
    session.set({ credentials: work.hashes })
    session.event('Normal', 'Created', `Created ${session.externalName}.`)
  }
  if (name === 'update') {
    const changed =
      action.decision.type === 'update' ? action.decision.differences.map((difference) => difference.path) : []
    const credentials = Object.entries(work.hashes).filter(([key]) => changed.includes(key))
    if (credentials.length > 0)
      session.set({ credentials: { ...session.status.credentials, ...Object.fromEntries(credentials) } })
    session.event(
      'Normal',
      drifted ? 'DriftCorrected' : 'Updated',
      `Set ${changed.join(', ')} of ${session.externalName}.`,
    )
  }
  if (name === 'delete') {
    session.event('Normal', 'Deleted', `Deleted ${session.externalName}.`)
    // A replacement starts from nothing; a deletion is over when absence has been observed.
    if (action.decision.type === 'replace') session.clear('external', 'credentials', 'syncedGeneration', 'atProvider')
  }
}

async function forget(session: Session, work: Work | undefined): Promise<Outcome> {
  const { world, entry } = session
  const access = work === undefined ? resolveAccess(world, entry, session.object) : undefined
  const connection = work?.access.connection ?? (access?.state === 'ready' ? access.connection : undefined)
  const identity = connection?.identity ?? (entry.definition.providerConfig === 'none' ? world.hub : undefined)
  await releaseClaim(session, identity)
  await session.release()
  return done
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
