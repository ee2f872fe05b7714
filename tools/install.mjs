import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * What every npm script needs before it can run: the packages of package-lock.json, Node 24 among them. Plain
 * JavaScript for the Node that happens to be on the machine (20 or later); everything else runs on the pinned one.
 */

export const root = fileURLToPath(new URL('..', import.meta.url))
const pinnedNode = path.join(root, 'node_modules/node/bin/node')

/** Installs what is missing or of another version than the lock file says. `dev`: with what tests and checks need. */
export function ensureInstalled({ dev }) {
  if (Number(process.versions.node.split('.')[0]) < 20)
    fail(`Node.js 20 or later is needed to install; this is ${process.version}.`)
  if (isInstalled({ dev })) return
  const npm = process.env.npm_execpath
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...(dev ? [] : ['--omit=dev'])]
  process.stderr.write(`Installing ${dev ? 'all packages' : 'what is needed to run'} (once) …\n`)
  const result =
    npm === undefined ? spawnSync('npm', args, options()) : spawnSync(process.execPath, [npm, ...args], options())
  if (result.status !== 0 || !isInstalled({ dev })) {
    fail(
      'npm ci did not install everything; its messages are above. Check the connection to the npm registry and try again.',
    )
  }
}

function options() {
  return { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
}

function isInstalled({ dev }) {
  const installed = packagesOf(path.join(root, 'node_modules/.package-lock.json'))
  const wanted = packagesOf(path.join(root, 'package-lock.json'))
  if (installed === undefined || wanted === undefined || !existsSync(pinnedNode)) return false
  return Object.entries(wanted).every(([name, entry]) => {
    if (name === '' || entry.link === true || !name.includes('node_modules/')) return true
    if (entry.optional === true || entry.devOptional === true || (!dev && entry.dev === true)) return true
    return installed[name]?.version === entry.version
  })
}

function packagesOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined
}

/** Runs a TypeScript file on the pinned Node, in this process when it is that one already. Never returns. */
export async function runPinned(file, args) {
  const target = path.join(root, file)
  if (Number(process.versions.node.split('.')[0]) >= 24) {
    process.argv.splice(1, process.argv.length - 1, target, ...args)
    await import(target)
    return
  }
  const { spawn } = await import('node:child_process')
  const child = spawn(pinnedNode, [target, ...args], { stdio: 'inherit' })
  // The child hears of a Ctrl-C in a terminal by itself; what is sent to this process alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1))
}

function fail(message) {
  process.stderr.write(`orrery: ${message}\n`)
  process.exit(1)
}
