import { message } from './message.ts'
import { objectMeta } from './meta-messages.ts'

/** `k8s.io/api/authorization/v1` and `k8s.io/api/authentication/v1`: the reviews about the caller itself. */

const requirement = message(
  [1, 'key', 'string', 'always'],
  [2, 'operator', 'string', 'always'],
  [3, 'values', 'string', 'list'],
)
const selectorAttributes = message([1, 'rawSelector', 'string'], [2, 'requirements', () => requirement, 'list'])

const resourceAttributes = message(
  [1, 'namespace', 'string'],
  [2, 'verb', 'string'],
  [3, 'group', 'string'],
  [4, 'version', 'string'],
  [5, 'resource', 'string'],
  [6, 'subresource', 'string'],
  [7, 'name', 'string'],
  [8, 'fieldSelector', () => selectorAttributes, 'pointer'],
  [9, 'labelSelector', () => selectorAttributes, 'pointer'],
)
const nonResourceAttributes = message([1, 'path', 'string'], [2, 'verb', 'string'])

const accessSpec = message(
  [1, 'resourceAttributes', () => resourceAttributes, 'pointer'],
  [2, 'nonResourceAttributes', () => nonResourceAttributes, 'pointer'],
)
// Of a request the server ignores the status, so a verdict that was not sent stays away.
const accessStatus = message(
  [1, 'allowed', 'bool'],
  [2, 'reason', 'string'],
  [3, 'evaluationError', 'string'],
  [4, 'denied', 'bool'],
)

export const selfSubjectAccessReview = message(
  [1, 'metadata', () => objectMeta],
  [2, 'spec', () => accessSpec, 'always'],
  [3, 'status', () => accessStatus],
)

const resourceRule = message(
  [1, 'verbs', 'string', 'list'],
  [2, 'apiGroups', 'string', 'list'],
  [3, 'resources', 'string', 'list'],
  [4, 'resourceNames', 'string', 'list'],
)
const nonResourceRule = message([1, 'verbs', 'string', 'list'], [2, 'nonResourceURLs', 'string', 'list'])
const rulesStatus = message(
  [1, 'resourceRules', () => resourceRule, 'list'],
  [2, 'nonResourceRules', () => nonResourceRule, 'list'],
  [3, 'incomplete', 'bool'],
  [4, 'evaluationError', 'string'],
)
const rulesSpec = message([1, 'namespace', 'string'])

export const selfSubjectRulesReview = message(
  [1, 'metadata', () => objectMeta],
  [2, 'spec', () => rulesSpec, 'always'],
  [3, 'status', () => rulesStatus],
)

const userInfo = message(
  [1, 'username', 'string'],
  [2, 'uid', 'string'],
  [3, 'groups', 'string', 'list'],
  [4, 'extra', 'strings', 'map'],
)
const selfStatus = message([1, 'userInfo', () => userInfo])

export const selfSubjectReview = message([1, 'metadata', () => objectMeta], [2, 'status', () => selfStatus])
