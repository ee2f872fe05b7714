import { message } from './message.ts'

/** `k8s.io/apimachinery/pkg/apis/meta/v1`. */

const ownerReference = message(
  [1, 'kind', 'string', 'always'],
  [3, 'name', 'string', 'always'],
  [4, 'uid', 'string', 'always'],
  [5, 'apiVersion', 'string', 'always'],
  [6, 'controller', 'bool', 'pointer'],
  [7, 'blockOwnerDeletion', 'bool', 'pointer'],
)

const managedFieldsEntry = message(
  [1, 'manager', 'string'],
  [2, 'operation', 'string'],
  [3, 'apiVersion', 'string'],
  [4, 'time', 'time'],
  [6, 'fieldsType', 'string'],
  [7, 'fieldsV1', 'rawJson'],
  [8, 'subresource', 'string'],
)

export const objectMeta = message(
  [1, 'name', 'string'],
  [2, 'generateName', 'string'],
  [3, 'namespace', 'string'],
  [4, 'selfLink', 'string'],
  [5, 'uid', 'string'],
  [6, 'resourceVersion', 'string'],
  [7, 'generation', 'int64'],
  [8, 'creationTimestamp', 'time'],
  [9, 'deletionTimestamp', 'time'],
  [10, 'deletionGracePeriodSeconds', 'int64', 'pointer'],
  [11, 'labels', 'string', 'map'],
  [12, 'annotations', 'string', 'map'],
  [13, 'ownerReferences', () => ownerReference, 'list'],
  [14, 'finalizers', 'string', 'list'],
  [17, 'managedFields', () => managedFieldsEntry, 'list'],
)

const preconditions = message([1, 'uid', 'string', 'pointer'], [2, 'resourceVersion', 'string', 'pointer'])

export const deleteOptions = message(
  [1, 'gracePeriodSeconds', 'int64', 'pointer'],
  [2, 'preconditions', () => preconditions, 'pointer'],
  [3, 'orphanDependents', 'bool', 'pointer'],
  [4, 'propagationPolicy', 'string', 'pointer'],
  [5, 'dryRun', 'string', 'list'],
  [6, 'ignoreStoreReadErrorWithClusterBreakingPotential', 'bool', 'pointer'],
)
