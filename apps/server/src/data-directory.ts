import { mkdirSync } from 'node:fs'
import path from 'node:path'

/** Everything that one hub keeps, in one folder that only its owner may enter. */
export interface DataDirectory {
  readonly root: string
  readonly store: string
  /** Space that lets deletes and compaction go on when the disk is full. */
  readonly reserve: string
  readonly secretsKey: string
  readonly pki: string
  readonly kubeconfig: string
  readonly logs: string
  /** There once the quickstart has been applied; it never is again. */
  readonly quickstartMark: string
}

export function openDataDirectory(root: string): DataDirectory {
  const absolute = path.resolve(root)
  mkdirSync(absolute, { recursive: true, mode: 0o700 })
  return {
    root: absolute,
    store: path.join(absolute, 'store.db'),
    reserve: path.join(absolute, 'store.reserve'),
    secretsKey: path.join(absolute, 'secrets.key'),
    pki: path.join(absolute, 'pki'),
    kubeconfig: path.join(absolute, 'kubeconfig'),
    logs: path.join(absolute, 'logs'),
    quickstartMark: path.join(absolute, 'quickstart-applied'),
  }
}
