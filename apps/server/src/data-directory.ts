import { mkdirSync, statSync } from 'node:fs'
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

/** The data directory cannot be made; the message says why and what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
}

export function openDataDirectory(root: string): DataDirectory {
  const absolute = path.resolve(root)
  makeFolder(absolute)
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

// Parent by parent: Node's recursive form never returns where a parent that exists answers that it does not.
function makeFolder(folder: string): void {
  try {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return
    const parent = path.dirname(folder)
    if (parent !== folder) makeFolder(parent)
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new DataDirectoryError(
      `The data directory ${folder} cannot be made: ${why}. Choose another --data-dir DIR.`,
      { cause: error },
    )
  }
}
