import type { Outcome } from '@orrery/runtime'
import { again, done } from '@orrery/runtime'
import type { Decision } from '../decide.ts'
import type { Difference } from '../difference.ts'
import type { Verdict } from '../guard.ts'
import type { KindContext, Observation } from '../kind.ts'
import { acquireClaim, releaseClaim } from './claims.ts'
import { resolveAccess } from './config.ts'
import { isKindEnding } from './definition.ts'
import { runEffect } from './effects.ts'
import { finish, reportDeletionWaits, reportFailure, reportHeld, reportUnknown, reportWait } from './report.ts'
import type { Session } from './session.ts'
import { recordCreated } from './settle.ts'
import type { Work } from './work.ts'
import { isRecord } from './work.ts'

export interface Action {
  readonly work: Work
  readonly context: KindContext
  readonly observation: Observation
  readonly decision: Decision
  readonly verdict: Verdict
  readonly found: readonly Difference[]
  readonly drifted: boolean
}

export async function act(action: Action): Promise<Outcome | undefined> {
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
    session.clear('external', 'credentialHashes', 'syncedGeneration')
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
    if (Object.keys(work.hashes).length > 0) session.set({ credentialHashes: work.hashes })
    session.event('Normal', 'Created', `Created ${session.externalName}.`)
  }
  if (name === 'update') {
    const changed =
      action.decision.type === 'update' ? action.decision.differences.map((difference) => difference.path) : []
    const credentials = Object.entries(work.hashes).filter(([key]) => changed.includes(key))
    if (credentials.length > 0)
      session.set({ credentialHashes: { ...session.status.credentialHashes, ...Object.fromEntries(credentials) } })
    session.event(
      'Normal',
      drifted ? 'DriftCorrected' : 'Updated',
      `Set ${changed.join(', ')} of ${session.externalName}.`,
    )
  }
  if (name === 'delete') {
    session.event('Normal', 'Deleted', `Deleted ${session.externalName}.`)
    // A replacement starts from nothing; a deletion is over when absence has been observed.
    if (action.decision.type === 'replace')
      session.clear('external', 'credentialHashes', 'syncedGeneration', 'atProvider')
  }
}

export async function forget(session: Session, work: Work | undefined): Promise<Outcome> {
  const { world, entry } = session
  const access = work === undefined ? resolveAccess(world, entry, session.object) : undefined
  const connection = work?.access.connection ?? (access?.state === 'ready' ? access.connection : undefined)
  const identity = connection?.identity ?? (entry.definition.providerConfig === 'none' ? world.hub : undefined)
  await releaseClaim(session, identity)
  await session.release()
  return done
}
