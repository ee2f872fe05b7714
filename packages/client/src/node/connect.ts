import type { ClientHttp2Session } from 'node:http2'
import { connect as connectHttp2 } from 'node:http2'
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import type { ApiServer } from './kubeconfig.ts'

/** TCP and TLS handshakes together; a server that needs longer is not usable. */
export const CONNECT_TIMEOUT_MS = 10_000
/** Node's 64 KB would make every big list wait for a round trip each 64 KB. */
const STREAM_WINDOW_BYTES = 4 * 1024 * 1024
const SESSION_WINDOW_BYTES = 32 * 1024 * 1024

/** The TLS settings of a kubeconfig, for both protocols. */
export function tlsOptionsOf(server: ApiServer): ConnectionOptions {
  const { hostname, port } = new URL(server.url)
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port === '' ? 443 : port),
    rejectUnauthorized: !server.insecureSkipTlsVerify,
    ...(server.ca === undefined ? {} : { ca: server.ca }),
    ...(server.clientCertificate === undefined ? {} : { cert: server.clientCertificate }),
    ...(server.clientKey === undefined ? {} : { key: server.clientKey }),
    ...(server.tlsServerName === undefined ? {} : { servername: server.tlsServerName }),
  }
}

/** Connects and asks for HTTP/2; the socket says in `alpnProtocol` what the server chose. */
export function openTlsSocket(server: ApiServer): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = connectTls({ ...tlsOptionsOf(server), ALPNProtocols: ['h2', 'http/1.1'] })
  socket.setNoDelay(true)
  const fail = (error: Error) => {
    socket.destroy()
    reject(new Error(`Cannot connect to ${server.url}: ${error.message}`, { cause: error }))
  }
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => fail(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`)))
  socket.once('error', fail)
  socket.once('secureConnect', () => {
    socket.setTimeout(0)
    socket.off('error', fail)
    resolve(socket)
  })
  return promise
}

/** A session over the socket, once the server's own limits are known. */
export function openSession(server: ApiServer, socket: Socket): Promise<ClientHttp2Session> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientHttp2Session>()
  const session = connectHttp2(server.url, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
  })
  session.once('error', reject)
  session.once('close', () => reject(new Error(`${server.url} closed the connection before it could be used.`)))
  session.once('remoteSettings', () => {
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    session.off('error', reject)
    resolve(session)
  })
  return promise
}
