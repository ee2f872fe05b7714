/** `@orrery/hub`: the API server as a function of a request to a response. */
export type {
  AccessAttributes,
  Authenticator,
  Authorizer,
  Decision,
  NonResourceRule,
  ResourceRule,
  UserInfo,
} from './auth/auth.ts'
export type { KnownToken } from './auth/authenticator.ts'
export { createAuthenticator, parseTokenFile, TokenFileError } from './auth/authenticator.ts'
export { createDefaultAuthorizer } from './auth/default-authorizer.ts'
export { createHub } from './create-hub.ts'
export type { Hub, HubOptions, Peer } from './hub.ts'
