import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import type { OwnershipMark } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'
import type { LocalServer, LocalServers, ServerSettings } from '../local-servers.ts'
import type { ServerBinaries } from './server-binaries.ts'
import { exists, installBinaries } from './server-binaries.ts'
import type { RunAs } from './server-process.ts'
import { isCode, listeningPort, reloadServer, runningPid, startServer, stopServer } from './server-process.ts'

const run = promisify(execFile)

/** Object ids below this belong to what initdb makes. */
const FIRST_USER_OID = 16_384
const INITDB_TIMEOUT_MS = 120_000

/**
 * Servers as processes of this machine, below one folder: `<root>/<name>/{data,orrery.json,server.log}`. As root they
 * run as `postgres` or `nobody`; no user is added to the machine.
 */
export async function createLocalServers(options: { readonly root: string }): Promise<LocalServers> {
  const runAs = process.getuid?.() === 0 ? await unprivilegedUser() : undefined
  await mkdir(options.root, { recursive: true, mode: 0o755 })
  const hostId = await ensureHostId(options.root)
  return new LocalServerFolder({ root: options.root, runAs, hostId })
}

/** A port of the loopback interface that nobody listens on at this moment. */
export async function chooseFreePort(): Promise<number> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    resolve(typeof address === 'object' && address !== null ? address.port : 0)
  })
  try {
    return await promise
  } finally {
    server.close()
  }
}

interface Stored {
  readonly mark: OwnershipMark
  readonly settings: ServerSettings
}

class LocalServerFolder implements LocalServers {
  readonly hostId: string
  readonly #root: string
  readonly #runAs: RunAs | undefined
  #binaries: Promise<ServerBinaries> | undefined

  constructor(options: { readonly root: string; readonly runAs: RunAs | undefined; readonly hostId: string }) {
    this.#root = options.root
    this.#runAs = options.runAs
    this.hostId = options.hostId
  }

  async version(): Promise<string> {
    return (await this.#installed()).version
  }

  async inspect(name: string): Promise<LocalServer | undefined> {
    const folder = this.#folder(name)
    const stored = await this.#read(name)
    if (stored === undefined) return undefined
    const dataDirectory = path.join(folder, 'data')
    const version = await readFile(path.join(dataDirectory, 'PG_VERSION'), 'utf8')
    const databases = await readdir(path.join(dataDirectory, 'base'))
    const pid = await runningPid(dataDirectory)
    return {
      dataDirectory,
      version: version.trim(),
      mark: stored.mark,
      settings: stored.settings,
      pid,
      listeningPort: pid === undefined ? undefined : await listeningPort(dataDirectory),
      userDatabases: databases.filter((entry) => /^\d+$/.test(entry) && Number(entry) >= FIRST_USER_OID).length,
    }
  }

  async initialize(name: string, options: Parameters<LocalServers['initialize']>[1]): Promise<void> {
    const { bin } = await this.#installed()
    const draft = `${this.#folder(name)}.new-${options.attempt}`
    const data = path.join(draft, 'data')
    await this.#removeLeftovers(name, draft)
    await mkdir(draft, { recursive: true, mode: 0o700 })
    const passwordFile = path.join(draft, 'password')
    await writeFile(passwordFile, options.password, { mode: 0o600 })
    if (this.#runAs !== undefined) {
      await chown(draft, this.#runAs.uid, this.#runAs.gid)
      await chown(passwordFile, this.#runAs.uid, this.#runAs.gid)
    }
    const args = ['-D', data, '-U', 'postgres', `--pwfile=${passwordFile}`, '-A', 'scram-sha-256', '-E', 'UTF8']
    const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    try {
      await run(path.join(bin, 'initdb'), [...args, ...locale], {
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
        timeout: INITDB_TIMEOUT_MS,
        signal: options.signal,
        ...this.#runAs,
      })
    } catch (error) {
      throw initFailed(error)
    } finally {
      await rm(passwordFile, { force: true })
    }
    await this.#write(draft, { mark: options.mark, settings: options.settings })
    await rename(draft, this.#folder(name))
    await syncFolder(this.#root)
  }

  async configure(name: string, settings: ServerSettings): Promise<void> {
    const stored = await this.#require(name)
    await this.#write(this.#folder(name), { ...stored, settings })
    await reloadServer(this.#data(name))
  }

  async writeMark(name: string, mark: OwnershipMark): Promise<void> {
    const stored = await this.#require(name)
    await this.#write(this.#folder(name), { ...stored, mark })
  }

  async start(name: string, signal: AbortSignal): Promise<void> {
    const { bin } = await this.#installed()
    await startServer({
      bin,
      dataDirectory: this.#data(name),
      logFile: path.join(this.#folder(name), 'server.log'),
      runAs: this.#runAs,
      signal,
    })
  }

  async stop(name: string, signal: AbortSignal): Promise<void> {
    await stopServer(this.#data(name), signal)
  }

  async remove(name: string, options: { readonly attempt: string; readonly signal: AbortSignal }): Promise<void> {
    if (await exists(this.#folder(name))) {
      await this.stop(name, options.signal)
      await rename(this.#folder(name), `${this.#folder(name)}.deleted-${options.attempt}`)
      await syncFolder(this.#root)
    }
    await this.#removeLeftovers(name, undefined)
  }

  async stopAll(signal: AbortSignal): Promise<void> {
    await Promise.all(
      (await this.#names()).map(async (name) => {
        if ((await runningPid(this.#data(name))) === undefined) return
        await writeFile(this.#stoppedFile(name), '')
        await stopServer(this.#data(name), signal)
      }),
    )
  }

  async resumeAll(signal: AbortSignal): Promise<void> {
    await Promise.all(
      (await this.#names()).map(async (name) => {
        if (!(await exists(this.#stoppedFile(name)))) return
        await rm(this.#stoppedFile(name), { force: true })
        try {
          await this.start(name, signal)
        } catch (error) {
          if (!(error instanceof ExternalError)) throw error // The instance meets the same error, and tells it.
        }
      }),
    )
  }

  /** Servers, not drafts and remains of them, nor the programs. */
  async #names(): Promise<readonly string[]> {
    const entries = await readdir(this.#root, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && !/\.(new|deleted)-|^server-/.test(entry.name))
      .map((entry) => entry.name)
  }

  #stoppedFile(name: string): string {
    return path.join(this.#folder(name), 'stopped')
  }

  #installed(): Promise<ServerBinaries> {
    this.#binaries ??= installBinaries(this.#root).catch((error: unknown) => {
      this.#binaries = undefined
      throw error
    })
    return this.#binaries
  }

  // A name is an annotation that a user may write; it must stay one folder below the root.
  #folder(name: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(name)) {
      throw new ExternalError({
        class: 'user',
        reason: 'InvalidExternalName',
        message: `The external name of an instance must consist of letters, digits, dots, dashes and underscores: ${name}`,
      })
    }
    return path.join(this.#root, name)
  }

  #data(name: string): string {
    return path.join(this.#folder(name), 'data')
  }

  // Drafts and remains of other attempts: nothing in them was ever, or is any longer, a server.
  async #removeLeftovers(name: string, except: string | undefined): Promise<void> {
    const prefix = path.basename(this.#folder(name))
    const entries = await readdir(this.#root)
    const left = entries.filter((entry) => entry.startsWith(`${prefix}.new-`) || entry.startsWith(`${prefix}.deleted-`))
    for (const entry of left) {
      const folder = path.join(this.#root, entry)
      if (folder !== except) await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }

  async #require(name: string): Promise<Stored> {
    const stored = await this.#read(name)
    if (stored !== undefined) return stored
    throw new ExternalError({
      class: 'transient',
      reason: 'ServerGone',
      message: 'The data directory has vanished in the meantime.',
    })
  }

  async #read(name: string): Promise<Stored | undefined> {
    const file = path.join(this.#folder(name), 'orrery.json')
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if (isCode(error, 'ENOENT')) return undefined
      throw error
    })
    if (text === undefined) {
      if (!(await exists(this.#data(name)))) return undefined
      throw new ExternalError({
        class: 'user',
        reason: 'UnreadableServer',
        message: `${file} is missing beside a data directory; restore it, or move the folder away.`,
      })
    }
    return parseStored(file, text)
  }

  /** Settings and mark in one atomic file, and the configuration that follows from them. */
  async #write(folder: string, stored: Stored): Promise<void> {
    await replaceFile(path.join(folder, 'data', 'postgresql.conf'), configuration(stored.settings), this.#runAs)
    await replaceFile(path.join(folder, 'orrery.json'), `${JSON.stringify(stored, null, 2)}\n`, this.#runAs)
  }
}

function configuration(settings: ServerSettings): string {
  const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`
  return [
    '# Written by Orrery from spec.forProvider of the Instance; changes here are overwritten.',
    `listen_addresses = '127.0.0.1'`,
    `port = ${settings.port}`,
    `unix_socket_directories = ''`,
    `password_encryption = 'scram-sha-256'`,
    ...Object.entries(settings.parameters).map(([name, value]) => `${name} = ${quoted(value)}`),
    '',
  ].join('\n')
}

function parseStored(file: string, text: string): Stored {
  const value: unknown = JSON.parse(text)
  if (typeof value === 'object' && value !== null && 'mark' in value && 'settings' in value) return value as Stored
  throw new ExternalError({ class: 'user', reason: 'UnreadableServer', message: `${file} is damaged; restore it.` })
}

async function replaceFile(file: string, content: string, owner: RunAs | undefined): Promise<void> {
  const draft = `${file}.new`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(content)
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function initFailed(error: unknown): ExternalError {
  const stderr = error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : ''
  const lines = stderr.trim().split('\n').slice(-3).join(' ')
  const cause =
    error instanceof Error && 'code' in error ? `initdb did not run (${String(error.code)})` : 'initdb did not run'
  return new ExternalError({
    class: 'transient',
    reason: 'InitFailed',
    message: `Making the data directory failed: ${lines === '' ? cause : lines}`,
    cause: error,
  })
}

async function unprivilegedUser(): Promise<RunAs> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find(([user]) => user === name) ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new ExternalError({
    class: 'user',
    reason: 'NoUser',
    message: 'A server never runs as root, and this machine has neither a user postgres nor nobody.',
  })
}

async function ensureHostId(root: string): Promise<string> {
  const file = path.join(root, 'host-id')
  const existing = await readFile(file, 'utf8').catch(() => undefined)
  if (existing !== undefined && existing.trim() !== '') return existing.trim()
  const id = randomUUID()
  await writeFile(file, `${id}\n`, { flag: 'wx' }).catch(async (error: unknown) => {
    if (!isCode(error, 'EEXIST')) throw error
  })
  await chmod(file, 0o644)
  return (await readFile(file, 'utf8')).trim()
}
