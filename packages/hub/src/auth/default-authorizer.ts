import type { AccessAttributes, Authorizer, Decision, NonResourceRule, ResourceRule, UserInfo } from './auth.ts'

/** Kubernetes' groups that have a meaning of their own. */
export const groups = {
  masters: 'system:masters',
  authenticated: 'system:authenticated',
  unauthenticated: 'system:unauthenticated',
} as const

/** What everybody may read, signed in or not. */
const publicPaths = ['/healthz', '/livez', '/readyz', '/version', '/version/'] as const
/** What everybody who is signed in may read: enough for clients to find their way. */
const discoveryPaths = ['/', '/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*'] as const

const reviews: readonly ResourceRule[] = [
  {
    verbs: ['create'],
    apiGroups: ['authorization.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
  },
  { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
]

const everything: readonly ResourceRule[] = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]
const everyPath: readonly NonResourceRule[] = [{ verbs: ['*'], nonResourceURLs: ['*'] }]

interface Rules {
  readonly resourceRules: readonly ResourceRule[]
  readonly nonResourceRules: readonly NonResourceRule[]
}

/**
 * Access control without stored rules: `system:masters` may do everything, everybody else may discover
 * the API and ask about themselves. Who is not signed in sees health and version only.
 */
export function createDefaultAuthorizer(): Authorizer {
  return {
    authorize: (user, attributes) => Promise.resolve(decide(rulesOf(user), user, attributes)),
    rulesFor: (user) => Promise.resolve({ ...rulesOf(user), incomplete: false }),
  }
}

function rulesOf(user: UserInfo): Rules {
  if (user.groups.includes(groups.masters)) return { resourceRules: everything, nonResourceRules: everyPath }
  const open = { verbs: ['get'], nonResourceURLs: publicPaths }
  if (!user.groups.includes(groups.authenticated)) return { resourceRules: [], nonResourceRules: [open] }
  return { resourceRules: reviews, nonResourceRules: [open, { verbs: ['get'], nonResourceURLs: discoveryPaths }] }
}

function decide(rules: Rules, user: UserInfo, attributes: AccessAttributes): Decision {
  const allowed =
    attributes.type === 'path'
      ? rules.nonResourceRules.some((rule) => allowsPath(rule, attributes))
      : rules.resourceRules.some((rule) => allowsResource(rule, attributes))
  if (!allowed) return { allowed, reason: '' }
  const reason = user.groups.includes(groups.masters) ? 'member of system:masters' : 'open to this group'
  return { allowed, reason }
}

const includes = (list: readonly string[], value: string) => list.includes('*') || list.includes(value)

function allowsResource(rule: ResourceRule, attributes: Extract<AccessAttributes, { type: 'resource' }>): boolean {
  const { verb, group, resource, subresource } = attributes
  const full = subresource === '' ? resource : `${resource}/${subresource}`
  return includes(rule.verbs, verb) && includes(rule.apiGroups, group) && includes(rule.resources, full)
}

function allowsPath(rule: NonResourceRule, { verb, path }: Extract<AccessAttributes, { type: 'path' }>): boolean {
  const asked = verb === 'head' ? 'get' : verb
  return includes(rule.verbs, asked) && rule.nonResourceURLs.some((pattern) => matchesPath(pattern, path))
}

function matchesPath(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path
}
