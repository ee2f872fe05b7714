import { readdirSync, statfsSync, statSync } from 'node:fs'
import path from 'node:path'
import type { ApiServer } from '@orrery/client/node'
import type { Shell } from '../shell.ts'
import { shellQuote } from '../text.ts'
import type { Finding } from './check.ts'
import { fail, ok, warn } from './check.ts'

/** Checks of this machine; none of them needs a server. */

/** What package.json asks for. */
const MIN_NODE_MAJOR = 24
/** Below this a store cannot grow for long; deletes and compaction still go on from its reserve. */
const LOW_SPACE_BYTES = 1024 ** 3
/** Below this the next burst of writes may fail. */
const NO_SPACE_BYTES = 64 * 1024 ** 2
/** Files of a data directory that hold keys, or everything. */
const PRIVATE = ['secrets.key', 'kubeconfig', 'store.db', 'store.db-wal', 'store.db-shm']
/** Anybody but the owner. */
const OTHERS = 0o077

/** Whether this program runs on a Node that it was made for. */
export function checkNode(version: string): Finding {
  const major = Number(version.replace(/^v/, '').split('.')[0])
  if (major >= MIN_NODE_MAJOR) return ok('node', version)
  return fail('node', `${version} is too old; ${MIN_NODE_MAJOR} or later is needed.`, 'npm ci')
}

/** Who else may read the kubeconfigs, which hold keys. */
export function checkKubeconfigs(files: readonly string[], server: ApiServer): Finding {
  const open = files.filter((file) => (statSync(file).mode & OTHERS) !== 0)
  const text = `${files.join(', ')} → ${server.url}`
  const holdsSecret = server.clientKey !== undefined || server.token !== undefined || server.basic !== undefined
  if (server.insecureSkipTlsVerify) {
    return warn('kubeconfig', `${text}; the server's certificate is not verified.`, 'kubectl config view --minify')
  }
  if (open.length === 0 || !holdsSecret) return ok('kubeconfig', text)
  return warn(
    'kubeconfig',
    `${open.join(', ')} holds a key or a token and others may read it.`,
    `chmod 600 ${open.map(shellQuote).join(' ')}`,
  )
}

/** The data directory that a kubeconfig on this machine belongs to, or undefined. */
export function localDataDirectory(kubeconfigs: readonly string[], server: ApiServer): string | undefined {
  const { hostname } = new URL(server.url)
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
  const [file] = kubeconfigs
  if (!isLoopback || file === undefined) return undefined
  const directory = path.dirname(file)
  return statSync(path.join(directory, 'store.db'), { throwIfNoEntry: false }) === undefined ? undefined : directory
}

/** Disk space and file modes of a data directory. */
export function checkDataDirectory(directory: string, shell: Pick<Shell, 'program'>): readonly Finding[] {
  return [checkSpace(directory, shell), checkModes(directory)]
}

function checkSpace(directory: string, { program }: Pick<Shell, 'program'>): Finding {
  const { bavail, bsize } = statfsSync(directory)
  const free = bavail * bsize
  const text = `${formatBytes(free)} free for ${directory}`
  if (free < NO_SPACE_BYTES)
    return fail('disk', `Only ${text}; writes are about to fail.`, `df -h ${shellQuote(directory)}; ${program} status`)
  if (free < LOW_SPACE_BYTES) return warn('disk', `Only ${text}.`, `df -h ${shellQuote(directory)}`)
  return ok('disk', text)
}

function checkModes(directory: string): Finding {
  const keys = listDirectory(path.join(directory, 'pki'))
    .filter((name) => name.endsWith('.key'))
    .map((name) => path.join('pki', name))
  const names = ['.', ...PRIVATE, ...keys]
  const open = names.filter((name) => {
    const found = statSync(path.join(directory, name), { throwIfNoEntry: false })
    return found !== undefined && (found.mode & OTHERS) !== 0
  })
  // A folder that nobody else may enter protects what is in it, but for keys, which may be copied with their modes.
  const exposed = open.includes('.') ? open : open.filter((name) => name.endsWith('.key') || name === 'kubeconfig')
  if (exposed.length === 0) return ok('file modes', `only their owner may read ${directory}`)
  const paths = exposed.map((name) => shellQuote(path.join(directory, name)))
  const isKeyOpen = exposed.some((name) => name.endsWith('.key'))
  const report = isKeyOpen ? fail : warn
  return report('file modes', `Others may read ${exposed.join(', ')} in ${directory}.`, `chmod go= ${paths.join(' ')}`)
}

function listDirectory(directory: string): readonly string[] {
  return statSync(directory, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(directory)
}

/** A size in the largest unit that leaves at least one. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let index = 0
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024
    index += 1
  }
  return `${index === 0 ? value : value.toFixed(1)} ${units[index]}`
}
