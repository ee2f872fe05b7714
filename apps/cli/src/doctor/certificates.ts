import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import type { ApiServer } from '@orrery/client/node'
import type { Shell } from '../shell.ts'
import { formatDuration } from '../text.ts'
import type { Finding } from './check.ts'
import { fail, ok, warn } from './check.ts'

/** Below this a certificate wants renewal; a hub renews its own at a start that finds fewer than 120 days. */
const SOON_MS = 30 * 86_400_000
const HANDSHAKE_TIMEOUT_MS = 10_000

interface Dated {
  readonly what: string
  readonly fromMs: number
  readonly toMs: number
}

/** Expiry of the certificates that a connection rests on: the authority's, the client's, the server's. */
export async function checkCertificates(server: ApiServer, shell: Pick<Shell, 'clock' | 'program'>): Promise<Finding> {
  const files: Dated[] = []
  for (const [what, pem] of [
    ['the authority', server.ca],
    ['the client certificate', server.clientCertificate],
  ] as const) {
    if (pem !== undefined) files.push(dated(what, new X509Certificate(pem)))
  }
  const served = server.url.startsWith('https:') ? await servedCertificate(server) : undefined
  const all = served === undefined ? files : [...files, dated("the server's certificate", served)]
  return judgeCertificates(all, { nowMs: shell.clock.now(), program: shell.program })
}

function dated(what: string, { validFromDate, validToDate }: X509Certificate): Dated {
  return { what, fromMs: validFromDate.getTime(), toMs: validToDate.getTime() }
}

/** The worst of several certificates. */
export function judgeCertificates(
  certificates: readonly Dated[],
  at: { readonly nowMs: number; readonly program: string },
): Finding {
  const [first] = certificates.toSorted((a, b) => a.toMs - b.toMs)
  if (first === undefined) return ok('certificates', 'none in use')
  const renew = `${at.program} up   (a restart renews the hub's own certificates)`
  const early = certificates.find(({ fromMs }) => fromMs > at.nowMs)
  if (early !== undefined)
    return fail('certificates', `By this machine's clock ${early.what} is not valid yet.`, 'date')
  const leftMs = first.toMs - at.nowMs
  if (leftMs <= 0) return fail('certificates', `${capital(first.what)} expired ${formatDuration(-leftMs)} ago.`, renew)
  const text = `${first.what} is the first to expire, in ${formatDuration(leftMs)}`
  return leftMs < SOON_MS ? warn('certificates', `${capital(text)}.`, renew) : ok('certificates', text)
}

const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`

/** What the server shows in its handshake; verified elsewhere, by the connection that requests go over. */
function servedCertificate(server: ApiServer): Promise<X509Certificate | undefined> {
  const { hostname, port } = new URL(server.url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate | undefined>()
  const name = server.tlsServerName ?? (isIP(host) === 0 ? host : undefined)
  const socket = connect({
    host,
    port: Number(port === '' ? 443 : port),
    rejectUnauthorized: false, // An expired one is what is looked for. Nothing is sent over this connection.
    ...(name === undefined ? {} : { servername: name }),
  })
  socket.setTimeout(HANDSHAKE_TIMEOUT_MS, () =>
    socket.destroy(new Error(`no handshake within ${HANDSHAKE_TIMEOUT_MS} ms`)),
  )
  socket.once('error', reject)
  socket.once('secureConnect', () => {
    resolve(socket.getPeerX509Certificate())
    socket.destroy()
  })
  return promise
}
