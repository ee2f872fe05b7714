import { type JsonSchema, type ResourceInfo } from '@orrery/api'
import { atomicList, flag, kindSchema, object, text, texts } from './kind-schema.ts'

/** Kinds that are answers to a question: created, never stored. */
export interface ReviewDefinition {
  readonly info: ResourceInfo
  readonly schema: JsonSchema
}

const review = (group: string, kind: string): ResourceInfo => {
  const singular = kind.toLowerCase()
  return { group, version: 'v1', kind, plural: `${singular}s`, singular, namespaced: false }
}

const selfSubjectAccessReviews = review('authorization.k8s.io', 'SelfSubjectAccessReview')
const selfSubjectRulesReviews = review('authorization.k8s.io', 'SelfSubjectRulesReview')
const selfSubjectReviews = review('authentication.k8s.io', 'SelfSubjectReview')

const requirements = (description: string): JsonSchema =>
  object(description, {
    rawSelector: text('The selector as text. Exclusive with requirements.'),
    requirements: atomicList(
      'The parsed requirements; all of them must hold.',
      object(
        'One requirement.',
        { key: text('The key.'), operator: text('The operator.'), values: texts('The values.') },
        ['key', 'operator'],
      ),
    ),
  })

const accessReview = kindSchema(
  selfSubjectAccessReviews,
  'SelfSubjectAccessReview checks whether or not the current user can perform an action.',
  {
    required: ['spec'],
    properties: {
      spec: object('Spec holds the question: exactly one of resourceAttributes and nonResourceAttributes.', {
        nonResourceAttributes: object('A question about a path.', {
          path: text('The URL path of the request.'),
          verb: text('The HTTP verb.'),
        }),
        resourceAttributes: object('A question about a resource.', {
          fieldSelector: requirements('Limits the question to objects with these fields.'),
          group: text('The API group of the resource. "*" means all.'),
          labelSelector: requirements('Limits the question to objects with these labels.'),
          name: text('The name of the object, or empty for all.'),
          namespace: text('The namespace of the action, or empty for all.'),
          resource: text('One of the existing resource types. "*" means all.'),
          subresource: text('One of the existing subresources, or empty.'),
          verb: text('A verb such as get, list, watch, create, update, delete. "*" means all.'),
          version: text('The API version of the resource. "*" means all.'),
        }),
      }),
      status: object(
        'Status is filled in by the server: whether the request is allowed.',
        {
          allowed: flag('True if the action would be allowed.'),
          denied: flag('True if the action would be denied whatever else allows it.'),
          evaluationError: text('An error during the check; the answer may still stand.'),
          reason: text('Why the request was allowed or denied.'),
        },
        ['allowed'],
      ),
    },
  },
)

const resourceRule = object(
  'ResourceRule is a list of actions allowed on resources.',
  {
    apiGroups: texts('The API groups of the resources. "*" means all.'),
    resourceNames: texts('The names the rule applies to. Empty means all.'),
    resources: texts('The resources this rule applies to. "*" means all.'),
    verbs: texts('The verbs. "*" means all.'),
  },
  ['verbs'],
)

const rulesReview = kindSchema(
  selfSubjectRulesReviews,
  'SelfSubjectRulesReview enumerates the actions the current user can perform within a namespace. The list may be incomplete.',
  {
    required: ['spec'],
    properties: {
      spec: object('Spec names the namespace.', { namespace: text('Namespace to evaluate rules for. Required.') }),
      status: object(
        'Status is filled in by the server: the rules.',
        {
          evaluationError: text('An error that made the list incomplete.'),
          incomplete: flag('True when the list is not known to be complete.'),
          nonResourceRules: atomicList(
            'The list of actions the user may perform on paths.',
            object(
              'Actions on paths.',
              { nonResourceURLs: texts('The paths. "*" means all.'), verbs: texts('The verbs. "*" means all.') },
              ['verbs'],
            ),
          ),
          resourceRules: atomicList('The list of actions the user may perform on resources.', resourceRule),
        },
        ['resourceRules', 'nonResourceRules', 'incomplete'],
      ),
    },
  },
)

const selfReview = kindSchema(
  selfSubjectReviews,
  'SelfSubjectReview contains the user information that the server has about the user making this request.',
  {
    properties: {
      status: object('Status is filled in by the server: who you are.', {
        userInfo: object('User attributes of the user making this request.', {
          extra: {
            type: 'object',
            description: 'Any additional information provided by the authenticator.',
            additionalProperties: texts('Values of one key.'),
          },
          groups: texts('The names of groups this user is a part of.'),
          uid: text('A unique value that identifies this user across time.'),
          username: text('The name that uniquely identifies this user.'),
        }),
      }),
    },
  },
)

/** The review kinds that the hub answers, with the schemas that OpenAPI publishes. */
export const reviewDefinitions: readonly ReviewDefinition[] = [
  { info: selfSubjectAccessReviews, schema: accessReview },
  { info: selfSubjectRulesReviews, schema: rulesReview },
  { info: selfSubjectReviews, schema: selfReview },
]
