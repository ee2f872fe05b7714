import { Command, InvalidArgumentError, Option } from 'commander'
import { openDataDirectory } from './data-directory.ts'
import { explainError } from './explain-error.ts'
import { runHub } from './hub-process.ts'
import { createLogger } from './logger.ts'
import { runManager } from './manager-process.ts'
import { isSupervised, runProcess, tell } from './run-process.ts'
import { up } from './up.ts'

/** The composition root: options become a hub, a manager, or both under one supervisor. */

const DEFAULT_DATA_DIRECTORY = '.orrery'
const DEFAULT_PORT = 7443

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds <= 3_600)) throw new InvalidArgumentError('It must be a number of seconds, up to 3600.')
  return seconds
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('It must be a port number from 0 to 65535.')
  return port
}

const dataDir = () =>
  new Option('--data-dir <dir>', 'folder of everything that is kept').default(DEFAULT_DATA_DIRECTORY)
const host = () => new Option('--host <address>', 'address to listen on').default('127.0.0.1')
const port = () => new Option('--port <n>', 'port of the API').argParser(parsePort).default(DEFAULT_PORT)
const logLevel = () =>
  new Option('--log-level <level>', 'least level that is logged')
    .choices(['debug', 'info', 'warn', 'error'])
    .default('info')

const program = new Command('orrery-server').description('Runs Orrery: API server, controllers, or both.')

program
  .command('up', { isDefault: true })
  .description('API server and controllers on this machine')
  .addOption(dataDir())
  .addOption(host())
  .addOption(port())
  .option('--no-quickstart', 'do not apply the quickstart to a new data directory')
  .option('--plain', 'one line per change instead of a tree')
  .action(async (options: { dataDir: string; host: string; port: number; quickstart: boolean; plain?: true }) => {
    const { quickstart, plain } = options
    process.exitCode = await up({
      data: openDataDirectory(options.dataDir),
      host: options.host,
      port: options.port,
      quickstart,
      plain: plain === true,
    })
  })

program
  .command('hub')
  .description('API server only')
  .addOption(dataDir())
  .addOption(host())
  .addOption(port())
  .addOption(logLevel())
  .option('--token-auth-file <file>', 'bearer tokens, in the form of kube-apiserver')
  .action(
    async (options: { dataDir: string; host: string; port: number; logLevel: string; tokenAuthFile?: string }) => {
      const log = createLogger({ level: options.logLevel, component: 'hub' })
      const data = openDataDirectory(options.dataDir)
      await finish(
        runProcess({ log, port: options.port, dataDirectory: data.root }, async (signal) => {
          const { host: address, port: number, tokenAuthFile: tokenFile } = options
          await runHub({ data, host: address, port: number, tokenFile, log, onReady: (url) => announce(url) }, signal)
        }),
      )
    },
  )

program
  .command('manager')
  .description('controllers and providers against any Kubernetes API server')
  .option('--kubeconfig <file>', 'default: $KUBECONFIG, then ~/.kube/config')
  .option('--context <name>', 'context of the kubeconfig')
  .addOption(dataDir())
  .addOption(logLevel())
  .addOption(
    new Option(
      '--housekeeping <mode>',
      'namespace deletion and garbage collection; auto: when the server is an Orrery hub',
    )
      .choices(['auto', 'on', 'off'] as const)
      .default('auto' as const),
  )
  .option('--health-port <n>', 'port on 127.0.0.1 for /livez, /readyz and /metrics', parsePort)
  .option('--leader-elect-lease-duration <s>', 'others wait this long for a leader that is gone', parseSeconds, 15)
  .option('--leader-elect-renew-deadline <s>', 'a leader that cannot renew for this long stops', parseSeconds, 10)
  .option('--leader-elect-retry-period <s>', 'between attempts to acquire or renew', parseSeconds, 2)
  .option('--stop-servers', 'a clean end also stops the servers that instances run here')
  .action(async (options: ManagerCommand) => {
    const log = createLogger({ level: options.logLevel, component: 'manager' })
    await finish(
      runProcess(
        {
          log,
          dataDirectory: options.dataDir,
          ...(options.healthPort === undefined ? {} : { port: options.healthPort }),
        },
        async (signal) => {
          await runManager(
            {
              kubeconfig: options.kubeconfig,
              context: options.context,
              dataDirectory: options.dataDir,
              housekeeping: options.housekeeping,
              healthPort: options.healthPort,
              log,
              onReady: () => announce(undefined),
              election: {
                leaseMs: options.leaderElectLeaseDuration * 1_000,
                renewMs: options.leaderElectRenewDeadline * 1_000,
                retryMs: options.leaderElectRetryPeriod * 1_000,
              },
              stopServers: options.stopServers === true,
            },
            signal,
          )
        },
      ),
    )
  })

interface ManagerCommand {
  readonly kubeconfig?: string
  readonly context?: string
  readonly dataDir: string
  readonly logLevel: string
  readonly housekeeping: 'auto' | 'on' | 'off'
  readonly healthPort?: number
  readonly leaderElectLeaseDuration: number
  readonly leaderElectRenewDeadline: number
  readonly leaderElectRetryPeriod: number
  readonly stopServers?: true
}

function announce(url: string | undefined): void {
  if (isSupervised()) tell(url === undefined ? { type: 'ready' } : { type: 'ready', url })
}

/** The exit code is set only when everything is over: timers and sockets of libraries must not keep a finished process. */
async function finish(running: Promise<number>): Promise<void> {
  process.exit(await running)
}

try {
  await program.parseAsync()
} catch (error) {
  // What fails before a process has its frame: the data directory or the log cannot be made.
  process.stderr.write(`orrery: ${explainError(error, { dataDirectory: 'the data directory' })}\n`)
  process.exitCode = 1
}
