import type { JsonObject } from '@orrery/api'
import { forbidden } from '../http/errors.ts'
import type { Strategy } from './core.ts'
import { type MutableObject, objectAt, textsAt } from './json-access.ts'

/** Made at start, and the first three never deleted: clients and controllers count on them. */
export const bootstrapNamespaces = ['default', 'kube-system', 'kube-public', 'orrery-system'] as const

const undeletable: readonly string[] = bootstrapNamespaces

/** How the hub takes part in writes of namespaces. Emptying them is a controller's work. */
export const namespaceStrategy: Strategy = {
  prepare: (object, old) => {
    // Of a new object only: later, status is a matter of its subresource.
    if (old === undefined) object['status'] = { phase: 'Active' }
    else keepFinalizers(object, old)
  },
  resetFields: ['spec'],
  markDeleted: (object) => {
    object['status'] = { ...objectAt(object, 'status'), phase: 'Terminating' }
  },
  checkDelete: (name) => {
    if (undeletable.includes(name)) {
      throw forbidden({ group: '', plural: 'namespaces' }, name, 'this namespace may not be deleted')
    }
  },
  isHeld: (object) => textsAt(objectAt(object, 'spec'), 'finalizers').length > 0,
}

/** Finalizers of the spec leave through `/finalize` alone: there the controller says that its work is done. */
function keepFinalizers(object: MutableObject, old: JsonObject): void {
  const live = textsAt(objectAt(old, 'spec'), 'finalizers')
  const added = textsAt(objectAt(object, 'spec'), 'finalizers').filter((finalizer) => !live.includes(finalizer))
  object['spec'] = { ...objectAt(object, 'spec'), finalizers: [...live, ...added] }
}
