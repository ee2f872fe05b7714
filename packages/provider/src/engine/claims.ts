import { createHash } from 'node:crypto'
import type { ConfigMap } from '@orrery/api'
import {
  configMaps,
  findCondition,
  formatKey,
  isAlreadyExists,
  isConflict,
  isNotFound,
  labelSelectorOf,
  parseKey,
} from '@orrery/api'
import type { Informer } from '@orrery/client'
import type { ControllerOptions } from '@orrery/runtime'
import { done } from '@orrery/runtime'
import type { EngineWorld, KindEntry } from './registry.ts'
import type { Session } from './session.ts'
import { FIELD_MANAGER } from './session.ts'

/**
 * Two objects that name one external thing: the second is refused. A claim is a create-only ConfigMap in the
 * system namespace whose name is a hash of system, kind and external name, so that the API server itself,
 * any Kubernetes, decides the race.
 */
export type Claim = { readonly state: 'held' } | { readonly state: 'refused'; readonly message: string }

const LABEL = 'orrery.dev/claim'
/** Finds the claims of an object whose system is no longer known. */
const OWNER_LABEL = 'orrery.dev/claim-owner'
/** `<group>/<Kind>:<namespace>/<name>`: whose it is, readable without its data. */
const OWNER_ANNOTATION = 'orrery.dev/claim-of'

function claimName(entry: KindEntry, identity: string, externalName: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([entry.id, identity, externalName]))
    .digest('hex')
  return `claim-${hash.slice(0, 40)}`
}

/** Idempotent. A claim whose owner provably no longer exists is taken over. */
export async function acquireClaim(session: Session, identity: string): Promise<Claim> {
  const { world, entry, object, signal } = session
  const name = claimName(entry, identity, session.externalName)
  const claim: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: world.systemNamespace,
      labels: { [LABEL]: entry.kind.kind.toLowerCase(), [OWNER_LABEL]: object.metadata.uid ?? '' },
      annotations: { [OWNER_ANNOTATION]: `${entry.id}:${formatKey(session.key)}` },
    },
    immutable: true,
    data: {
      kind: entry.id,
      system: identity,
      externalName: session.externalName,
      namespace: object.metadata.namespace ?? '',
      name: object.metadata.name,
      uid: object.metadata.uid ?? '',
    },
  }
  // Who was refused before looks first: a steady world costs reads only.
  const wasRefused = findCondition(object.status?.conditions ?? [], 'Ready')?.reason === 'AlreadyExists'
  if (wasRefused) {
    const existing = await world.client.find(configMaps, { namespace: world.systemNamespace, name }, { signal })
    if (existing !== undefined && existing.data?.['uid'] !== object.metadata.uid)
      return await contest(session, name, identity)
  }
  try {
    await world.client.create(configMaps, claim, { fieldManager: FIELD_MANAGER, signal })
    return { state: 'held' }
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
  return await contest(session, name, identity)
}

async function contest(session: Session, name: string, identity: string): Promise<Claim> {
  const { world, entry, object, signal } = session
  const existing = await world.client.find(configMaps, { namespace: world.systemNamespace, name }, { signal })
  if (existing === undefined) return await acquireClaim(session, identity)
  const owner = existing.data ?? {}
  if (owner['uid'] === object.metadata.uid) return { state: 'held' }
  const holder = { namespace: owner['namespace'] ?? '', name: owner['name'] ?? '' }
  const alive = await world.client.find(entry.kind, holder, { signal })
  if (alive !== undefined && alive.metadata.uid === owner['uid']) {
    return {
      state: 'refused',
      message: `${entry.kind.kind} ${holder.namespace}/${holder.name} already manages this external name on the same system. Choose another orrery.dev/external-name.`,
    }
  }
  await removeClaim(session, existing)
  return await acquireClaim(session, identity)
}

/** Idempotent; touches only this object's own claims. Without `identity`, its config being gone, it looks for them. */
export async function releaseClaim(session: Session, identity: string | undefined): Promise<void> {
  const { world, entry, object, signal } = session
  const { uid } = object.metadata
  const namespace = world.systemNamespace
  if (identity === undefined) {
    const labels = labelSelectorOf({ matchLabels: { [OWNER_LABEL]: uid ?? '' } })
    const { items } = await world.client.listAll(configMaps, { namespace, labels, signal })
    for (const claim of items) await removeClaim(session, claim)
    return
  }
  const name = claimName(entry, identity, session.externalName)
  const existing = await world.client.find(configMaps, { namespace, name }, { signal })
  if (existing !== undefined && existing.data?.['uid'] === uid) await removeClaim(session, existing)
}

/**
 * Removes claims whose owner provably no longer exists. They are rare: a request to make one that was still on its
 * way when its manager was killed, and arrived after the object had gone.
 */
export function claimController(world: EngineWorld, claims: Informer<ConfigMap>): ControllerOptions {
  return {
    name: 'claims',
    for: configMaps,
    metadataOnly: true,
    concurrency: 4,
    when: ({ current }) => current?.metadata.labels?.[LABEL] !== undefined,
    reconcile: async ({ key, client, signal }) => {
      const claim = claims.get(key)
      if (claim === undefined || key.namespace !== world.systemNamespace) return done
      const [id = '', owner = ''] = (claim.metadata.annotations?.[OWNER_ANNOTATION] ?? '').split(':')
      const uid = claim.metadata.labels?.[OWNER_LABEL]
      const kind = world.kinds.get(id)
      // A kind that is not served here may have another manager; its objects are not known to be gone.
      if (kind === undefined || uid === undefined || owner === '') return done
      if (kind.informer.get(parseKey(owner))?.metadata.uid === uid) return done
      const alive = await client.find(kind.kind, parseKey(owner), { signal })
      if (alive?.metadata.uid !== uid) await removeClaim({ world, signal }, claim)
      return done
    },
  }
}

async function removeClaim(by: Pick<Session, 'world' | 'signal'>, claim: ConfigMap): Promise<void> {
  const { world, signal } = by
  const { name, uid } = claim.metadata
  try {
    await world.client.delete(
      configMaps,
      { namespace: world.systemNamespace, name },
      { ...(uid === undefined ? {} : { uid }), signal },
    )
  } catch (error) {
    // Somebody else removed it, or removed and took it: the next create tells.
    if (!isNotFound(error) && !isConflict(error)) throw error
  }
}
