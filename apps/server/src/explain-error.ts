import { ConnectionError } from '@orrery/client'
import { KubeconfigError } from '@orrery/client/node'
import { TokenFileError } from '@orrery/hub'
import { KeyFileError, PkiError } from '@orrery/hub/node'
import { StoreError } from '@orrery/hub/store'
import { LeaseLostError } from '@orrery/runtime'
import { DataDirectoryError } from './data-directory.ts'

/** What went wrong and what to do, in the words of whoever started the process. No stack: the log has it. */
export function explainError(
  error: unknown,
  context: { readonly port?: number; readonly dataDirectory: string },
): string {
  if (error instanceof StoreError)
    return `${error.message}${error.kind === 'locked' ? ' (--data-dir DIR, and --port N.)' : ''}`
  if (hasCode(error, 'EADDRINUSE')) {
    return `Port ${context.port ?? ''} is in use. Another hub may be running; choose another with --port N (and another --data-dir DIR).`
  }
  if (hasCode(error, 'EADDRNOTAVAIL') || hasCode(error, 'ENOTFOUND'))
    return `${error.message}. This machine has no such address; choose another with --host ADDRESS.`
  if (hasCode(error, 'EACCES') && context.port !== undefined && /listen/.test(error.message))
    return `Port ${context.port} may not be taken by this user. Choose another with --port N.`
  if (['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'EISDIR'].some((code) => hasCode(error, code)))
    return `${messageOf(error)}. Run as a user who may write to ${context.dataDirectory}, or choose another --data-dir DIR.`
  if (hasCode(error, 'ENOENT')) return `${error.message}. Check the path, or leave the option out.`
  if (hasCode(error, 'ENOSPC'))
    return `There is no space left on the disk of ${context.dataDirectory}. Free some and start again; nothing is lost.`
  if (error instanceof ConnectionError)
    return `The API server cannot be reached: ${error.message}. Check the kubeconfig and whether the server runs.`
  const ours = [DataDirectoryError, KubeconfigError, TokenFileError, KeyFileError, PkiError, LeaseLostError].some(
    (type) => error instanceof type,
  )
  if (ours && error instanceof Error) return error.message
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function hasCode(error: unknown, code: string): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && error.code === code
}
