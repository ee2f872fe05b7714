import type { Secret } from '@orrery/api'
import { equalJson, isAlreadyExists, isForbidden, secrets } from '@orrery/api'
import { encode, isOwnedBy, ownerReference } from './credentials.ts'
import type { Session } from './session.ts'
import { FIELD_MANAGER } from './session.ts'

/** Outcome of publishing connection details. */
export type Publication = { readonly state: 'current' } | { readonly state: 'refused'; readonly message: string }

/**
 * Writes the Secret named by `spec.writeConnectionSecretToRef` when it differs. A Secret that is not this
 * object's is never overwritten. It goes with the object by its owner reference.
 */
export async function publishConnection(
  session: Session,
  values: Readonly<Record<string, string>>,
): Promise<Publication> {
  const { world, object, signal } = session
  const name = object.spec.writeConnectionSecretToRef?.name
  if (name === undefined) return { state: 'current' }
  const namespace = object.metadata.namespace ?? ''
  const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, encode(value)]))
  const options = { fieldManager: FIELD_MANAGER, signal }
  const seen = world.secrets.get({ namespace, name })
  if (seen !== undefined && isOwnedBy(seen, object) && equalJson(seen.data ?? {}, data)) return { state: 'current' }
  const existing = await world.client.find(secrets, { namespace, name }, { signal })
  if (existing !== undefined) {
    if (!isOwnedBy(existing, object)) return refused(name)
    if (equalJson(existing.data ?? {}, data)) return { state: 'current' }
    await world.client.update(secrets, { ...existing, data }, options)
    return { state: 'current' }
  }
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'orrery' },
      ownerReferences: [ownerReference(object)],
    },
    type: 'connection.orrery.dev/v1alpha1',
    data,
  }
  try {
    await world.client.create(secrets, secret, options)
  } catch (error) {
    if (isAlreadyExists(error)) return refused(name)
    if (session.deleting && isForbidden(error)) {
      return {
        state: 'refused',
        message: `Secret ${name} is gone, and nothing is made in a namespace that is deleted.`,
      }
    }
    throw error
  }
  return { state: 'current' }
}

function refused(name: string): Publication {
  return {
    state: 'refused',
    message: `Secret ${name} exists and does not belong to this object; it is not overwritten. Name another in spec.writeConnectionSecretToRef, or delete it.`,
  }
}
