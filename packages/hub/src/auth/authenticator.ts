import { createHash, timingSafeEqual } from 'node:crypto'
import type { HttpRequest } from '@orrery/api'
import { headerText } from '../http/body.ts'
import { unauthorized } from '../http/errors.ts'
import type { Peer } from '../hub.ts'
import type { Authenticator, UserInfo } from './auth.ts'
import { groups } from './default-authorizer.ts'

/** A bearer token that is known, by its SHA-256: the token itself is never kept. */
export interface KnownToken {
  readonly sha256: Uint8Array
  readonly user: UserInfo
}

/** Nobody who sent no credentials. */
export const anonymous: UserInfo = { name: 'system:anonymous', groups: [groups.unauthenticated] }

/** Every token is compared with every request that carries one. */
const maxTokens = 1000
const maxTokenLength = 8192

/** Hashes a token as {@link KnownToken} holds it. */
export function hashToken(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}

/**
 * Identities from client certificates that the listener verified, and from bearer tokens. Wrong
 * credentials are refused with 401 even where anonymous requests are welcome.
 */
export function createAuthenticator(options: { readonly tokens?: readonly KnownToken[] } = {}): Authenticator {
  const tokens = options.tokens ?? []
  if (tokens.length > maxTokens) throw new RangeError(`at most ${maxTokens} tokens, not ${tokens.length}`)
  return { authenticate: (request, peer) => Promise.resolve().then(() => identify(request, peer, tokens)) }
}

function identify(request: HttpRequest, peer: Peer, tokens: readonly KnownToken[]): UserInfo {
  if (peer.user !== undefined) return signedIn(peer.user)
  if (peer.certificate !== undefined) {
    const { commonName, organizations } = peer.certificate
    if (commonName === '') throw unauthorized()
    return signedIn({ name: commonName, groups: organizations })
  }
  if (peer.certificateRejected === true) throw unauthorized()
  const header = headerText(request.headers, 'authorization')
  if (header === '') return anonymous
  const token = /^Bearer +([^\s]+)$/i.exec(header)?.[1]
  if (token === undefined || token.length > maxTokenLength) throw unauthorized()
  const hash = hashToken(token)
  let found: UserInfo | undefined
  // All are compared, so that the time tells nothing about which one came close.
  for (const known of tokens) if (timingSafeEqual(known.sha256, hash)) found = known.user
  if (found === undefined) throw unauthorized()
  return signedIn(found)
}

/** Every identity but the anonymous one is in `system:authenticated`. */
export function signedIn(user: UserInfo): UserInfo {
  if (user.name === anonymous.name || user.groups.includes(groups.authenticated)) return user
  return { ...user, groups: [...user.groups, groups.authenticated] }
}

/** A token file that cannot be used. The message names the line, never the token. */
export class TokenFileError extends Error {
  override readonly name = 'TokenFileError'
}

/**
 * Reads kube-apiserver's token file: lines of `token,user,uid,"group1,group2"`, the last two optional.
 * Empty lines and lines that start with `#` are skipped. Throws {@link TokenFileError}.
 */
export function parseTokenFile(text: string): readonly KnownToken[] {
  return text.split('\n').flatMap((line, index): KnownToken[] => {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return []
    const match = /^([^,"\s]+),([^,"\s]+)(?:,([^,"]*))?(?:,(?:"([^"]*)"|([^,"]*)))?$/.exec(trimmed)
    if (match === null) {
      throw new TokenFileError(`line ${index + 1} of the token file is not token,user,uid,"group1,group2"; correct it`)
    }
    const [, token = '', name = '', uid = '', quoted, plain] = match
    const list = (quoted ?? plain ?? '').split(',').filter((group) => group !== '')
    return [{ sha256: hashToken(token), user: { name, groups: list, ...(uid === '' ? {} : { uid }) } }]
  })
}
