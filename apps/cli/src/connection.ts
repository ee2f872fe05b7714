import { existsSync } from 'node:fs'
import path from 'node:path'
import type { HttpHandler } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient } from '@orrery/client'
import type { ApiServer } from '@orrery/client/node'
import { createNodeTransport, kubeconfigPaths, loadKubeconfig } from '@orrery/client/node'
import { timeOf } from './fields.ts'
import { CliError } from './problem.ts'
import type { Shell } from './shell.ts'
import { CLIENT_VERSION } from './version.ts'

/** Where to find the API server, as the command line has it. */
export interface ConnectOptions {
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  /** Longest wait for one answer, in milliseconds. */
  readonly timeoutMs?: number | undefined
}

/** An API server to talk to. */
export interface Connection extends AsyncDisposable {
  readonly client: Client
  /** Address and credentials; holds secrets. Absent when the server runs in this process. */
  readonly server?: ApiServer
  /** The files it came from. */
  readonly kubeconfigs: readonly string[]
  /** The context's namespace. */
  readonly namespace: string
  /** The server's clock minus ours in milliseconds, as its last answer said; undefined before the first. */
  clockOffsetMs(): number | undefined
}

/** Where a data directory of `orrery up` in the working directory keeps its kubeconfig. */
const LOCAL_KUBECONFIG = path.join('.orrery', 'kubeconfig')

/** The kubeconfig files to read: the option, `KUBECONFIG`, the local data directory's, `~/.kube/config`. */
export function chooseKubeconfigs(
  shell: Pick<Shell, 'environment' | 'directory' | 'program'>,
  given: string | undefined,
): readonly string[] {
  if (given !== undefined) return [path.resolve(shell.directory, given)]
  const local = path.join(shell.directory, LOCAL_KUBECONFIG)
  const isListed = (shell.environment['KUBECONFIG'] ?? '') !== ''
  if (!isListed && existsSync(local)) return [local]
  const paths = kubeconfigPaths(shell.environment)
  // As kubectl: of several listed files those that are missing are passed over.
  const present = paths.filter((each) => existsSync(each))
  if (present.length > 0) return present
  const message = isListed
    ? `There is no kubeconfig: KUBECONFIG names ${paths.join(', ')}, which does not exist.`
    : `There is no kubeconfig: neither ${LOCAL_KUBECONFIG} here nor ${paths.join(', ')} exists.`
  throw new CliError(message, { code: 'NoKubeconfig', path: 'kubeconfig', next: `${shell.program} up` })
}

/** Reads the kubeconfig; connects when the first request is made. Throws `KubeconfigError` and `CliError`. */
export function connect(shell: Omit<Shell, 'connect'>, options: ConnectOptions): Connection {
  const kubeconfigs = chooseKubeconfigs(shell, options.kubeconfig)
  const { context, timeoutMs } = options
  const server = loadKubeconfig({ paths: kubeconfigs, ...(context === undefined ? {} : { context }) })
  const { clock, random } = shell
  const transport = createNodeTransport(server, { clock })
  const watched = watchClock(transport.handle, clock)
  const client = createClient({
    transport: watched.handle,
    clock,
    random,
    userAgent: `orrery/${CLIENT_VERSION}`,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
  return {
    client,
    server,
    kubeconfigs,
    namespace: server.namespace,
    clockOffsetMs: watched.offsetMs,
    [Symbol.asyncDispose]: () => transport.close(),
  }
}

/** Passes requests on and learns the server's clock from the Date header of its answers. */
export function watchClock(
  transport: HttpHandler,
  clock: Shell['clock'],
): { readonly handle: HttpHandler; readonly offsetMs: () => number | undefined } {
  let offsetMs: number | undefined
  return {
    offsetMs: () => offsetMs,
    handle: async (request) => {
      const sentMs = clock.now()
      const response = await transport(request)
      const receivedMs = clock.now()
      const dateMs = timeOf(response.headers['date'])
      // The header has whole seconds, cut off; its middle meets the middle of the exchange.
      if (dateMs !== undefined) offsetMs = dateMs + 500 - (sentMs + receivedMs) / 2
      return response
    },
  }
}
