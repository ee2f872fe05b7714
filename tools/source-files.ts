import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The repository's root, from which all paths here count. */
export const root: string = join(import.meta.dirname, '..')

/** Files that belong to the project: tracked, or new and not ignored. Paths with `/`, sorted. */
export function projectFiles(): readonly string[] {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const paths = list.split('\0').filter((path) => path !== '' && existsSync(join(root, path)))
  return [...new Set(paths)].toSorted()
}

export function readProjectFile(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Code that ships, as opposed to tests, their support and tools. */
export function isProductCode(path: string): boolean {
  return /^(packages|providers|apps)\//.test(path) && !path.startsWith('packages/testing/') && !isTestCode(path)
}

export function isTestCode(path: string): boolean {
  return /\.(test|test-support)\.ts$/.test(path) || path.includes('/testdata/')
}
