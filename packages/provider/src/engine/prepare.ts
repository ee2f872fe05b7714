import type { Outcome } from '@orrery/runtime'
import type { KindContext } from '../kind.ts'
import { annotations } from '../managed.ts'
import { resolveAccess } from './config.ts'
import { resolveCredentials } from './credentials.ts'
import type { ResolvedReferences } from './references.ts'
import { relatedObject, resolveReferences } from './references.ts'
import { reportFailure, reportWait } from './report.ts'
import type { Session } from './session.ts'
import type { Work } from './work.ts'
import { isRecord } from './work.ts'

export async function prepare(session: Session, priority: 'change' | 'resync'): Promise<Work | Outcome> {
  const { world, entry, object } = session
  const references = resolveReferences(world, entry, object)
  if (Object.keys(references.resolved).length > 0) session.set({ references: references.resolved })
  const { external, attempt } = session.status
  // Nothing is outside yet, and neither its name nor its place is known before the references are.
  if (references.waiting !== undefined && external === undefined && attempt === undefined && !session.deleting) {
    return await reportWait(session, { reason: 'Waiting', message: references.waiting })
  }
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
