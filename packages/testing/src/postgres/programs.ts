import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createLocalServers } from '@orrery/provider-postgresql'

const run = promisify(execFile)

const DEBIAN_ROOT = '/usr/lib/postgresql'
const POLICY_FILE = '/usr/sbin/policy-rc.d'
const INSTALL_COMMAND = 'apt-get install -y --no-install-recommends postgresql'
const INSTALL_TIMEOUT_MS = 300_000

/** One installation of the server programs. */
export interface ServerPrograms {
  /** E.g. `packaged 18` or `Debian 15`, for names of tests. */
  readonly title: string
  readonly major: number
  /** Folder with `postgres` and `initdb`, readable by the user that servers run as. */
  readonly bin: string
}

/**
 * Every server that tests should run against: the packaged one and the newest of the system. A missing one is
 * installed when that cannot disturb anybody, and otherwise comes back as the sentence for a printed skip.
 */
export async function serverPrograms(): Promise<{
  readonly found: readonly ServerPrograms[]
  readonly skipped: readonly string[]
}> {
  const packaged = await packagedPrograms()
  const debian = (await debianPrograms()) ?? (await installDebian())
  return typeof debian === 'string'
    ? { found: [packaged], skipped: [debian] }
    : { found: [packaged, debian], skipped: [] }
}

// One copy for all tests of a user: the programs are large, and a version never changes.
async function packagedPrograms(): Promise<ServerPrograms> {
  const root = join(tmpdir(), `orrery-postgres-programs-${userInfo().uid}`)
  await mkdir(root, { recursive: true, mode: 0o755 })
  const servers = await createLocalServers({ root })
  const version = await servers.version()
  return {
    title: `packaged ${version}`,
    major: Number.parseInt(version, 10),
    bin: join(root, `server-${version}`, 'bin'),
  }
}

async function debianPrograms(): Promise<ServerPrograms | undefined> {
  if (!existsSync(DEBIAN_ROOT)) return undefined
  const majors = (await readdir(DEBIAN_ROOT))
    .map(Number)
    .filter((major) => major >= 12 && existsSync(join(DEBIAN_ROOT, String(major), 'bin', 'postgres')))
    .toSorted((a, b) => b - a)
  const [major] = majors
  return major === undefined
    ? undefined
    : { title: `system ${major}`, major, bin: join(DEBIAN_ROOT, String(major), 'bin') }
}

/** Installs without starting the machine's own daemons. Only as root where the machine belongs to the tests. */
async function installDebian(): Promise<ServerPrograms | string> {
  const hint = `PostgreSQL of the system is not installed; enable with: ${INSTALL_COMMAND}`
  if (process.getuid?.() !== 0 || !(await isDisposable()) || !existsSync('/usr/bin/apt-get')) return hint
  const hadPolicy = existsSync(POLICY_FILE)
  if (!hadPolicy) await writeFile(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const [program = '', ...args] = INSTALL_COMMAND.split(' ')
    await run(program, args, { env, timeout: INSTALL_TIMEOUT_MS })
    return (await debianPrograms()) ?? hint
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : ''
    return `${hint} (it failed here: ${stderr})`
  } finally {
    if (!hadPolicy) await rm(POLICY_FILE, { force: true })
  }
}

async function isDisposable(): Promise<boolean> {
  if (process.env['CI'] !== undefined || existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return true
  const groups = await readFile('/proc/1/cgroup', 'utf8').catch(() => '')
  return /docker|containerd|kubepods|libpod/.test(groups)
}
