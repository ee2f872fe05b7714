import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

/** A way to a server that can be cut: sessions break, and new ones are refused until it is mended. */
export interface Proxy extends AsyncDisposable {
  readonly host: string
  readonly port: number
  cut(): Promise<void>
  mend(): Promise<void>
}

const HOST = '127.0.0.1'

/** Passes bytes on to a server from a free port, which stays its port. */
export async function startProxy(to: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => undefined) // Each end hears of it by its own socket.
  }
  const pass = (inward: Socket) => {
    const outward = connect(to)
    keep(inward)
    keep(outward)
    inward.pipe(outward).pipe(inward)
    inward.once('close', () => outward.destroy())
    outward.once('close', () => inward.destroy())
  }
  let server = createServer(pass)
  const port = await listen(server, 0)
  const cut = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return {
    host: HOST,
    port,
    cut,
    async mend() {
      if (server.listening) return
      server = createServer(pass)
      await listen(server, port)
    },
    [Symbol.asyncDispose]: cut,
  }
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, HOST)
  await once(server, 'listening')
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  return address.port
}
