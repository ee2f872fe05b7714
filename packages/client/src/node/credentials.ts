import { readFileSync } from 'node:fs'
import type { Clock, HttpHeaders } from '@orrery/api'
import type { ApiServer } from './kubeconfig.ts'

/** Projected tokens live an hour and are replaced long before; a minute of an old one is safe and spares the disk. */
export const TOKEN_FILE_FRESH_MS = 60_000

/** The headers that say who we are, new for each request because token files rotate. */
export function createCredentials(server: ApiServer, clock: Clock): () => HttpHeaders {
  const impersonation: HttpHeaders =
    server.impersonate === undefined
      ? {}
      : { 'impersonate-user': server.impersonate.user, 'impersonate-group': server.impersonate.groups }
  const { tokenFile } = server
  if (tokenFile === undefined) {
    const fixed = { ...impersonation, ...authorizationOf(server) }
    return () => fixed
  }
  let token = ''
  let readMono = Number.NEGATIVE_INFINITY
  return () => {
    if (clock.mono() - readMono > TOKEN_FILE_FRESH_MS) {
      token = readFileSync(tokenFile, 'utf8').trim()
      readMono = clock.mono()
    }
    return { ...impersonation, authorization: `Bearer ${token}` }
  }
}

function authorizationOf(server: ApiServer): HttpHeaders {
  if (server.token !== undefined) return { authorization: `Bearer ${server.token}` }
  if (server.basic === undefined) return {}
  const { username, password } = server.basic
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}
