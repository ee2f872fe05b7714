import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'

/** Folder of the binaries that `build-peers.sh` makes. */
export const peersDirectory: string = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'orrery',
  'peers',
)

/** Measured 3 s on two quiet cores. */
const START_TIMEOUT_MS = 60_000

export interface Peer extends AsyncDisposable {
  /** Path of a kubeconfig with all rights. */
  readonly kubeconfig: string
  readonly url: string
  stop(): Promise<void>
}

/** Why a real API server cannot be started here, as a sentence for a printed skip; undefined when it can. */
export function whyNoPeer(options: { readonly controllerManager?: boolean } = {}): string | undefined {
  const wanted = ['etcd', 'kube-apiserver', ...(options.controllerManager === true ? ['kube-controller-manager'] : [])]
  const missing = wanted.filter((name) => !existsSync(join(peersDirectory, name)))
  if (missing.length === 0) return undefined
  return `${missing.join(', ')} not built; build with: tools/peers/build-peers.sh (needs Go, about 5 minutes)`
}

/**
 * Starts etcd and kube-apiserver, and kube-controller-manager if asked, on free loopback ports with their
 * state in a folder of their own. Rejects with the end of the log of what did not start.
 */
export async function startKubeApiserver(options: { readonly controllerManager?: boolean } = {}): Promise<Peer> {
  const directory = await mkdtemp(join(tmpdir(), 'orrery-peer-'))
  const processes: ChildProcess[] = []
  const stop = async () => {
    for (const child of processes.toReversed()) await end(child)
    await rm(directory, { recursive: true, force: true })
  }
  try {
    const [port, etcdPort, etcdPeerPort, managerPort] = await freePorts(4)
    const url = `https://127.0.0.1:${port}`
    const kubeconfig = await writeFiles(directory, url)
    processes.push(await start('etcd', directory, etcdFlags(directory, etcdPort ?? 0, etcdPeerPort ?? 0)))
    processes.push(await start('kube-apiserver', directory, apiserverFlags(directory, port ?? 0, etcdPort ?? 0)))
    await untilReady(kubeconfig, directory, processes)
    if (options.controllerManager === true) {
      processes.push(
        await start('kube-controller-manager', directory, managerFlags(directory, kubeconfig, managerPort ?? 0)),
      )
    }
    return { kubeconfig, url, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function writeFiles(directory: string, url: string): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await writeFile(join(directory, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 })
  await writeFile(join(directory, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  const token = randomBytes(16).toString('hex')
  await writeFile(join(directory, 'tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 })
  const kubeconfig = join(directory, 'kubeconfig')
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'peer', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'peer', context: { cluster: 'peer', user: 'admin' } }],
    'current-context': 'peer',
  }
  await writeFile(kubeconfig, JSON.stringify(content), { mode: 0o600 })
  return kubeconfig
}

function etcdFlags(directory: string, port: number, peerPort: number): readonly string[] {
  const client = `http://127.0.0.1:${port}`
  const peer = `http://127.0.0.1:${peerPort}`
  return [
    `--data-dir=${join(directory, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=error',
  ]
}

function apiserverFlags(directory: string, port: number, etcdPort: number): readonly string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--cert-dir=${join(directory, 'certs')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(directory, 'sa.pub')}`,
    `--service-account-signing-key-file=${join(directory, 'sa.key')}`,
    `--token-auth-file=${join(directory, 'tokens.csv')}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.0.0.0/24',
    '--enable-admission-plugins=NamespaceLifecycle,LimitRanger,ServiceAccount,ResourceQuota',
    '--max-requests-inflight=4000',
    '--max-mutating-requests-inflight=2000',
  ]
}

function managerFlags(directory: string, kubeconfig: string, port: number): readonly string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--service-account-private-key-file=${join(directory, 'sa.key')}`,
    `--root-ca-file=${join(directory, 'certs', 'apiserver.crt')}`,
    '--leader-elect=false',
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
  ]
}

async function start(name: string, directory: string, flags: readonly string[]): Promise<ChildProcess> {
  const log = await open(join(directory, `${name}.log`), 'w')
  const child = spawn(join(peersDirectory, name), flags, { cwd: directory, stdio: ['ignore', log.fd, log.fd] })
  await log.close()
  return child
}

async function untilReady(kubeconfig: string, directory: string, processes: readonly ChildProcess[]): Promise<void> {
  await using transport = createNodeTransport(loadKubeconfig({ paths: [kubeconfig] }), { clock: systemClock })
  const client = createClient({
    transport: transport.handle,
    clock: systemClock,
    random: systemRandom,
    userAgent: 'peer-start',
  })
  const deadline = Date.now() + START_TIMEOUT_MS
  let failure: unknown
  while (Date.now() < deadline && processes.every((child) => child.exitCode === null)) {
    try {
      await client.raw('/readyz', { signal: AbortSignal.timeout(2_000) })
      return
    } catch (error) {
      failure = error // Not yet; the last reason is reported when time is over.
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const log = await readFile(join(directory, 'kube-apiserver.log'), 'utf8')
  throw new Error(`kube-apiserver is not ready. The end of its log:\n${log.slice(-2_000)}`, { cause: failure })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('exit', () => resolve())
  child.kill('SIGTERM')
  const kill = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await promise
  clearTimeout(kill)
}

/** All at once, so that they differ. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const { promise, resolve } = Promise.withResolvers<ReturnType<typeof createServer>>()
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
      return promise
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => promisify(server.close.bind(server))()))
  return ports
}

// Started by hand: prints the kubeconfig and runs until Ctrl-C.
if (import.meta.main) {
  const reason = whyNoPeer({ controllerManager: true })
  if (reason !== undefined) {
    console.log(`[skip] ${reason}`)
    process.exit(0)
  }
  const peer = await startKubeApiserver({ controllerManager: process.argv.includes('--controller-manager') })
  console.log(`export KUBECONFIG=${peer.kubeconfig}`)
  process.once('SIGINT', () => void peer.stop())
  process.once('SIGTERM', () => void peer.stop())
}
