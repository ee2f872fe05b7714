import type { Discovery } from '@orrery/client'

/** `v1 NamespaceCondition`. */
export interface NamespaceCondition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly lastTransitionTime: string
  readonly reason: string
  readonly message: string
}

/** What a pass over a terminating namespace left behind. Filled while it runs. */
export interface Remains {
  /** Resource, as `plural.group`, to number of objects. */
  readonly objects: Map<string, number>
  /** Finalizer to number of objects that carry it. */
  readonly finalizers: Map<string, number>
  readonly failures: string[]
}

type Condition = Omit<NamespaceCondition, 'lastTransitionTime'>

/** The five conditions of a terminating namespace, in Kubernetes' words. */
export function conditionsOf(discovery: Discovery, remains: Remains): readonly Condition[] {
  const { failures } = discovery
  const unknown = failures.map(({ groupVersion, message }) => `${groupVersion}: ${message}`)
  const objects = [...remains.objects]
    .map(([resource, count]) => `${resource} has ${count} resource instances`)
    .toSorted()
  const finalizers = [...remains.finalizers]
    .map(([finalizer, count]) => `${finalizer} in ${count} resource instances`)
    .toSorted()
  return [
    condition('NamespaceDeletionDiscoveryFailure', unknown, {
      failed: [
        'DiscoveryFailed',
        `Discovery failed for some groups, ${unknown.length} failing: unable to retrieve the complete list of server APIs: ${unknown.join(', ')}`,
      ],
      fine: ['ResourcesDiscovered', 'All resources successfully discovered'],
    }),
    condition('NamespaceDeletionGroupVersionParsingFailure', [], {
      failed: ['GroupVersionParsingFailed', ''],
      fine: ['ParsedGroupVersions', 'All legacy kube types successfully parsed'],
    }),
    condition('NamespaceDeletionContentFailure', remains.failures, {
      failed: [
        'ContentDeletionFailed',
        `Failed to delete all resource types, ${remains.failures.length} remaining: ${remains.failures.toSorted().join(', ')}`,
      ],
      fine: ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
    }),
    condition('NamespaceContentRemaining', objects, {
      failed: ['SomeResourcesRemain', `Some resources are remaining: ${objects.join(', ')}`],
      fine: ['ContentRemoved', 'All content successfully removed'],
    }),
    condition('NamespaceFinalizersRemaining', finalizers, {
      failed: [
        'SomeFinalizersRemain',
        `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`,
      ],
      fine: ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
    }),
  ]
}

function condition(
  type: string,
  problems: readonly string[],
  words: { readonly failed: readonly [string, string]; readonly fine: readonly [string, string] },
): Condition {
  const [reason, message] = problems.length > 0 ? words.failed : words.fine
  return { type, status: problems.length > 0 ? 'True' : 'False', reason, message }
}
