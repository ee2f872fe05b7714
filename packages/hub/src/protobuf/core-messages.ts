import { message } from './message.ts'
import { objectMeta } from './meta-messages.ts'

/** `k8s.io/api/core/v1` and `k8s.io/api/coordination/v1`, the kinds that the hub serves. */

const namespaceCondition = message(
  [1, 'type', 'string', 'always'],
  [2, 'status', 'string', 'always'],
  [4, 'lastTransitionTime', 'time'],
  [5, 'reason', 'string'],
  [6, 'message', 'string'],
)
const namespaceSpec = message([1, 'finalizers', 'string', 'list'])
const namespaceStatus = message([1, 'phase', 'string'], [2, 'conditions', () => namespaceCondition, 'list'])

export const namespace = message(
  [1, 'metadata', () => objectMeta],
  [2, 'spec', () => namespaceSpec],
  [3, 'status', () => namespaceStatus],
)

export const secret = message(
  [1, 'metadata', () => objectMeta],
  [2, 'data', 'bytes', 'map'],
  [3, 'type', 'string'],
  [4, 'stringData', 'string', 'map'],
  [5, 'immutable', 'bool', 'pointer'],
)

export const configMap = message(
  [1, 'metadata', () => objectMeta],
  [2, 'data', 'string', 'map'],
  [3, 'binaryData', 'bytes', 'map'],
  [4, 'immutable', 'bool', 'pointer'],
)

const objectReference = message(
  [1, 'kind', 'string'],
  [2, 'namespace', 'string'],
  [3, 'name', 'string'],
  [4, 'uid', 'string'],
  [5, 'apiVersion', 'string'],
  [6, 'resourceVersion', 'string'],
  [7, 'fieldPath', 'string'],
)
const eventSource = message([1, 'component', 'string'], [2, 'host', 'string'])
const eventSeries = message([1, 'count', 'int32'], [2, 'lastObservedTime', 'microTime'])

export const event = message(
  [1, 'metadata', () => objectMeta],
  [2, 'involvedObject', () => objectReference, 'always'],
  [3, 'reason', 'string'],
  [4, 'message', 'string'],
  [5, 'source', () => eventSource],
  [6, 'firstTimestamp', 'time'],
  [7, 'lastTimestamp', 'time'],
  [8, 'count', 'int32'],
  [9, 'type', 'string'],
  [10, 'eventTime', 'microTime'],
  [11, 'series', () => eventSeries, 'pointer'],
  [12, 'action', 'string'],
  [13, 'related', () => objectReference, 'pointer'],
  [14, 'reportingComponent', 'string'],
  [15, 'reportingInstance', 'string'],
)

const localObjectReference = message([1, 'name', 'string'])

export const serviceAccount = message(
  [1, 'metadata', () => objectMeta],
  [2, 'secrets', () => objectReference, 'list'],
  [3, 'imagePullSecrets', () => localObjectReference, 'list'],
  [4, 'automountServiceAccountToken', 'bool', 'pointer'],
)

const leaseSpec = message(
  [1, 'holderIdentity', 'string', 'pointer'],
  [2, 'leaseDurationSeconds', 'int32', 'pointer'],
  [3, 'acquireTime', 'microTime'],
  [4, 'renewTime', 'microTime'],
  [5, 'leaseTransitions', 'int32', 'pointer'],
  [6, 'strategy', 'string', 'pointer'],
  [7, 'preferredHolder', 'string', 'pointer'],
)

export const lease = message([1, 'metadata', () => objectMeta], [2, 'spec', () => leaseSpec])
