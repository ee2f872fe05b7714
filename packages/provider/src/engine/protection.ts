import type { Kind, KubeObject, ObjectKey } from '@orrery/api'
import { isConflict, isNotFound } from '@orrery/api'
import type { Informer } from '@orrery/client'
import type { ControllerOptions, Outcome, ReconcileContext, Watch } from '@orrery/runtime'
import { again, done } from '@orrery/runtime'
import { IN_USE_FINALIZER } from '../managed.ts'
import { FIELD_MANAGER } from './session.ts'
import type { Use } from './uses.ts'
import { USES, useId } from './uses.ts'

/**
 * Instances, configs and credential Secrets carry a finalizer while an object, living or terminating, uses
 * them. Usage follows from the live objects themselves; there are no usage objects that could be collected
 * too early.
 */

/** A kind whose objects may use others, and how. */
export interface User<T extends KubeObject = KubeObject> {
  readonly kind: Kind<T>
  readonly informer: Informer<T>
  usesOf(object: T): readonly Use[]
}

export interface ProtectionOptions {
  readonly name: string
  /** As uses name it: `Secret`, or `group/Kind`. */
  readonly id: string
  readonly kind: Kind
  readonly informer: Informer<KubeObject>
  readonly users: () => readonly User[]
}

/** Soon again when a user turned up between the view and the question to the server. */
const RECHECK_MS = 1_000

export function protectionController(options: ProtectionOptions): ControllerOptions {
  return {
    name: options.name,
    for: options.kind,
    concurrency: 4,
    when: ({ current }) => current !== undefined && (isProtected(current) || isUsed(options, current)),
    reconcile: async (context) => await reconcileProtection(options, context),
  }
}

/** Added to the controllers of user kinds, so that coming and going users reach what they use. */
export function usageWatch(options: ProtectionOptions, user: User): Watch {
  return {
    kind: user.kind,
    map: ({ current, previous }) =>
      [current, previous].flatMap((object) => (object === undefined ? [] : targets(options, user.usesOf(object)))),
  }
}

function targets(options: ProtectionOptions, uses: readonly Use[]): readonly ObjectKey[] {
  return uses.flatMap((use) => {
    if (use.kind !== options.id || use.name === undefined) return []
    return [use.namespace === '' ? { name: use.name } : { namespace: use.namespace, name: use.name }]
  })
}

async function reconcileProtection(options: ProtectionOptions, context: ReconcileContext): Promise<Outcome> {
  const object = options.informer.get(context.key)
  if (object === undefined) return done
  const deleting = object.metadata.deletionTimestamp !== undefined
  const used = isUsed(options, object)
  if (used === isProtected(object)) return done
  if (used) {
    // A finalizer cannot be added to what is already going; its users find out and wait.
    if (!deleting) await setFinalizer(options, context, { object, present: true })
    return done
  }
  if (deleting && (await isUsedNow(options, object, context))) return again(RECHECK_MS)
  await setFinalizer(options, context, { object, present: false })
  return done
}

const isProtected = (object: KubeObject) => object.metadata.finalizers?.includes(IN_USE_FINALIZER) === true

const useOf = (options: ProtectionOptions, object: KubeObject): Use => ({
  kind: options.id,
  namespace: object.metadata.namespace ?? '',
  name: object.metadata.name,
})

function isUsed(options: ProtectionOptions, object: KubeObject): boolean {
  const id = useId(useOf(options, object))
  return options.users().some((user) => user.informer.byIndex(USES, id).length > 0)
}

// The view may lag; letting go of what is being deleted must not rest on it.
async function isUsedNow(options: ProtectionOptions, object: KubeObject, context: ReconcileContext): Promise<boolean> {
  const id = useId(useOf(options, object))
  const { namespace } = object.metadata
  for (const user of options.users()) {
    const { items } = await context.client.listAll(user.kind, {
      ...(namespace === undefined ? {} : { namespace }),
      signal: context.signal,
    })
    if (items.some((item) => user.usesOf(item).some((use) => useId(use) === id))) return true
  }
  return false
}

async function setFinalizer(
  options: ProtectionOptions,
  context: ReconcileContext,
  change: { readonly object: KubeObject; readonly present: boolean },
): Promise<void> {
  const { metadata } = change.object
  const others = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== IN_USE_FINALIZER)
  const finalizers = change.present ? [...others, IN_USE_FINALIZER] : others
  const resourceVersion = metadata.resourceVersion ?? ''
  try {
    await context.client.patch(
      options.kind,
      context.key,
      { type: 'merge', body: { metadata: { resourceVersion, finalizers } } },
      { fieldManager: FIELD_MANAGER, signal: context.signal },
    )
  } catch (error) {
    // Its newer version, or its absence, arrives as an event and is judged anew.
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}
