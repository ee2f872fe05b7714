import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { chooseFreePort } from '@orrery/provider-postgresql'
import type pg from 'pg'
import type { ServerPrograms } from './programs.ts'
import type { Row, SqlTarget } from './sql.ts'
import { openSession, runSql } from './sql.ts'

const run = promisify(execFile)

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000
const POLL_MS = 20

export interface PostgresServerOptions {
  readonly programs: ServerPrograms
  /** PEM. Offers TLS, and refuses clients without it. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** As in postgresql.conf. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Acknowledged writes survive the end of the machine. Default false: tests kill processes, not machines. */
  readonly durable?: boolean
}

/** A running server of its own: port, data directory, superuser `postgres`. Never runs as root. */
export interface PostgresServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly major: number
  /** One statement as the superuser, or as somebody else, over a connection of its own. */
  query(
    sql: string,
    options?: {
      readonly values?: readonly unknown[]
      readonly database?: string
      readonly username?: string
      readonly password?: string
    },
  ): Promise<readonly Row[]>
  /** A session that stays open. End it before the server. */
  connect(options?: {
    readonly database?: string
    readonly username?: string
    readonly password?: string
  }): Promise<pg.Client>
  start(): Promise<void>
  /** `fast` ends sessions, `kill` is SIGKILL of the postmaster. Resolves when it has ended. */
  stop(how: 'fast' | 'kill'): Promise<void>
}

/** Starts a server in a temporary folder. Dispose it to stop it and to remove the folder. */
export async function startPostgres(options: PostgresServerOptions): Promise<PostgresServer> {
  const server = new TemporaryServer(options, await mkdtemp(join(tmpdir(), 'orrery-pg-')), await chooseFreePort())
  try {
    await server.initialize()
    await server.start()
    return server
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
}

class TemporaryServer implements PostgresServer {
  readonly host = '127.0.0.1'
  readonly username = 'postgres'
  readonly password = randomBytes(12).toString('hex')
  readonly major: number
  readonly port: number
  readonly #options: PostgresServerOptions
  readonly #folder: string
  readonly #data: string
  #runAs: { readonly uid: number; readonly gid: number } | undefined
  #pid: number | undefined

  constructor(options: PostgresServerOptions, folder: string, port: number) {
    this.#options = options
    this.#folder = folder
    this.#data = join(folder, 'data')
    this.port = port
    this.major = options.programs.major
  }

  async initialize(): Promise<void> {
    this.#runAs = process.getuid?.() === 0 ? await unprivilegedUser() : undefined
    const passwordFile = join(this.#folder, 'password')
    await this.#own(this.#folder)
    await this.#write(passwordFile, this.password)
    const args = ['-D', this.#data, '-U', this.username, `--pwfile=${passwordFile}`, '-A', 'scram-sha-256']
    await run(join(this.#options.programs.bin, 'initdb'), [...args, '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], {
      env: environment,
      ...this.#runAs,
    })
    await rm(passwordFile)
    await this.#configure()
  }

  async start(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS
    for (;;) {
      try {
        await this.#startOnce(deadline)
        return
      } catch (error) {
        // Sessions of a killed server need a moment to notice.
        if (!(error instanceof Error) || !error.message.includes('shared memory block') || Date.now() > deadline)
          throw error
      }
    }
  }

  async #startOnce(deadline: number): Promise<void> {
    const log = await open(join(this.#folder, 'server.log'), 'a')
    const child = spawn(join(this.#options.programs.bin, 'postgres'), ['-D', this.#data], {
      stdio: ['ignore', log.fd, log.fd],
      env: environment,
      ...this.#runAs,
    })
    await log.close()
    this.#pid = child.pid
    child.once('exit', () => {
      if (this.#pid === child.pid) this.#pid = undefined
    })
    while (!(await this.#isReady())) {
      if (this.#pid === undefined || Date.now() > deadline) {
        const text = await readFile(join(this.#folder, 'server.log'), 'utf8')
        throw new Error(`PostgreSQL did not start:\n${text.slice(-500)}`)
      }
      await delay(POLL_MS)
    }
  }

  async stop(how: 'fast' | 'kill'): Promise<void> {
    const pid = this.#pid
    if (pid === undefined) return
    process.kill(pid, how === 'kill' ? 'SIGKILL' : 'SIGINT')
    const deadline = Date.now() + STOP_TIMEOUT_MS
    while (this.#pid === pid) {
      if (Date.now() > deadline) process.kill(pid, 'SIGKILL')
      await delay(POLL_MS)
    }
  }

  async connect(
    as: { readonly database?: string; readonly username?: string; readonly password?: string } = {},
  ): Promise<pg.Client> {
    return await openSession(this.#target(as))
  }

  async query(sql: string, options: Parameters<PostgresServer['query']>[1] = {}): Promise<readonly Row[]> {
    return await runSql(this.#target(options), sql, options.values)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('fast')
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #target(as: { readonly database?: string; readonly username?: string; readonly password?: string }): SqlTarget {
    const { host, port, username, password } = this
    return { host, port, username, password, database: 'postgres', ...as, tls: this.#options.tls !== undefined }
  }

  async #configure(): Promise<void> {
    const { tls, durable, parameters } = this.#options
    if (tls !== undefined) {
      await this.#write(join(this.#data, 'server.crt'), tls.certificate)
      await this.#write(join(this.#data, 'server.key'), tls.key)
      await this.#write(join(this.#data, 'pg_hba.conf'), 'hostssl all all all scram-sha-256\n')
    }
    const settings = {
      listen_addresses: this.host,
      port: String(this.port),
      unix_socket_directories: '',
      shared_buffers: '32MB',
      fsync: durable === true ? 'on' : 'off',
      ssl: tls === undefined ? 'off' : 'on',
      ...parameters,
    }
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    await this.#write(join(this.#data, 'postgresql.conf'), lines.join(''))
  }

  // The eighth line of the pid file says when connections are accepted.
  async #isReady(): Promise<boolean> {
    const text = await readFile(join(this.#data, 'postmaster.pid'), 'utf8').catch(() => '')
    const lines = text.split('\n')
    return Number(lines[0]) === this.#pid && lines[7]?.trim() === 'ready'
  }

  async #write(file: string, content: string): Promise<void> {
    await writeFile(file, content, { mode: 0o600 })
    await this.#own(file)
  }

  async #own(file: string): Promise<void> {
    if (this.#runAs !== undefined) await chown(file, this.#runAs.uid, this.#runAs.gid)
  }
}

const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' }

async function unprivilegedUser(): Promise<{ readonly uid: number; readonly gid: number }> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const [, , uid, gid] = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody') ?? []
  if (uid === undefined || gid === undefined) throw new Error('This machine has neither a user postgres nor nobody.')
  return { uid: Number(uid), gid: Number(gid) }
}
