import type { HttpRequest } from '@orrery/api'
import type { Peer } from '../hub.ts'

export interface UserInfo {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** Says who sends a request. Throws `ApiError` 401 for credentials that are wrong; none at all is `system:anonymous`. */
export interface Authenticator {
  authenticate(request: HttpRequest, peer: Peer): Promise<UserInfo>
}

/** What a request wants, after URL parsing; exactly what will be executed is authorized. */
export type AccessAttributes =
  | {
      readonly type: 'resource'
      readonly verb: string
      readonly group: string
      readonly version: string
      readonly resource: string
      readonly subresource: string
      readonly namespace: string
      readonly name: string
    }
  | { readonly type: 'path'; readonly verb: string; readonly path: string }

export interface ResourceRule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
}

export interface NonResourceRule {
  readonly verbs: readonly string[]
  readonly nonResourceURLs: readonly string[]
}

export interface Decision {
  readonly allowed: boolean
  /** For people: why, or why not. May be empty. */
  readonly reason: string
}

/** The port behind which access control is decided. `Rbac` is a later implementation. */
export interface Authorizer {
  authorize(user: UserInfo, attributes: AccessAttributes): Promise<Decision>
  /** What a user may do in a namespace, for SelfSubjectRulesReview. */
  rulesFor(
    user: UserInfo,
    namespace: string,
  ): Promise<{
    readonly resourceRules: readonly ResourceRule[]
    readonly nonResourceRules: readonly NonResourceRule[]
    readonly incomplete: boolean
  }>
}
