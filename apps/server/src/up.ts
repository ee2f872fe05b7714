import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { createClient } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import type { DataDirectory } from './data-directory.ts'
import { showProgress } from './progress.ts'
import { applyQuickstart, QUICKSTART_NAMESPACE } from './quickstart.ts'
import { StartError, SupervisedChild } from './supervisor.ts'

export interface UpOptions {
  readonly data: DataDirectory
  readonly host: string
  readonly port: number
  readonly quickstart: boolean
  /** One line per change instead of a tree, also on a terminal. */
  readonly plain: boolean
}

/** Signals that arrive together (npm and the terminal both send one) count once; a later one ends everything at once. */
const SAME_SIGNAL_MS = 2_000

/** Hub and manager as two processes under one command, until SIGINT or SIGTERM. Returns the exit code. */
export async function up(options: UpOptions): Promise<number> {
  const { data } = options
  const say = (line: string) => void process.stdout.write(`${line}\n`)
  const shared = { logs: data.logs, say }
  const hub = new SupervisedChild({
    ...shared,
    name: 'hub',
    args: ['--data-dir', data.root, '--host', options.host, '--port', String(options.port)],
  })
  const manager = new SupervisedChild({
    ...shared,
    name: 'manager',
    args: ['--kubeconfig', data.kubeconfig, '--data-dir', data.root, '--stop-servers'],
  })
  const stopping = stopOnSignals(() => {
    hub.kill()
    manager.kill()
  })
  try {
    const fresh = !existsSync(data.store)
    say(fresh ? `Starting a new hub in ${data.root}` : `Resuming the hub in ${data.root}`)
    const { url } = await hub.start()
    say(`The API is ready at ${url}`)
    await manager.start()
    await quickstart(options, stopping)
    sayNext(options, say)
    await aborted(stopping)
    return 0
  } catch (error) {
    if (stopping.aborted) return 0
    if (!(error instanceof StartError)) throw error
    process.stderr.write(`orrery: ${error.message}\n`)
    return 1
  } finally {
    if (stopping.aborted) say('Stopping; everything outside stays as it is, and the next start goes on from here.')
    await manager.stop()
    await hub.stop()
  }
}

async function quickstart(options: UpOptions, signal: AbortSignal): Promise<void> {
  if (!options.quickstart) return
  const { data } = options
  const transport = createNodeTransport(loadKubeconfig({ paths: [data.kubeconfig] }), { clock: systemClock })
  const client = createClient({
    transport: transport.handle,
    clock: systemClock,
    random: systemRandom,
    userAgent: 'orrery-up/0.1.0',
  })
  try {
    const applied = await applyQuickstart(client, data.quickstartMark, signal)
    if (!applied) return
    const tree = process.stdout.isTTY && !options.plain
    await showProgress({ client, namespace: QUICKSTART_NAMESPACE, out: process.stdout, tree }, signal)
  } finally {
    await transport.close()
  }
}

function sayNext({ data, quickstart: shown }: UpOptions, say: (line: string) => void): void {
  const kubeconfig = path.relative(process.cwd(), data.kubeconfig)
  const hasKubectl = canRun('kubectl')
  const example = [
    '  kubectl get instances,databases,roles,grants -n quickstart',
    '  kubectl edit databases.postgresql.orrery.dev app -n quickstart',
    `  psql "$(kubectl get secret app-connection -n quickstart -o jsonpath='{.data.uri}' | base64 -d)"`,
    '  kubectl delete namespace quickstart',
  ]
  say('')
  say('Running. Ctrl-C stops it. Next, in another terminal:')
  say(`  export KUBECONFIG=${kubeconfig.startsWith('..') ? data.kubeconfig : `$PWD/${kubeconfig}`}`)
  if (hasKubectl) for (const line of shown ? example : ['  kubectl api-resources']) say(line)
  else {
    say('  npm run orrery -- status          (what kubectl get would show)')
    say('  npm run orrery -- why database/app -n quickstart')
    say('kubectl is not on this machine; get it from https://kubernetes.io/docs/tasks/tools/')
  }
  say('')
}

function canRun(program: string): boolean {
  try {
    execFileSync(program, ['version', '--client'], { stdio: 'ignore' })
    return true
  } catch {
    // Not there, or not working: the hint is for both.
    return false
  }
}

function stopOnSignals(kill: () => void): AbortSignal {
  const stopping = new AbortController()
  let firstMs = Number.POSITIVE_INFINITY
  const stop = () => {
    const now = performance.now()
    if (!stopping.signal.aborted) {
      firstMs = now
      stopping.abort(new Error('stopped by a signal'))
    } else if (now - firstMs > SAME_SIGNAL_MS) {
      kill()
      process.exit(1)
    }
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return stopping.signal
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
