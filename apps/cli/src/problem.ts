import { ApiError } from '@orrery/api'
import { ConnectionError } from '@orrery/client'
import { KubeconfigError } from '@orrery/client/node'
import type { ExitCode } from './exit-codes.ts'
import { exitCodes } from './exit-codes.ts'

/** An error as people and machines are told of it. Holds no secret. */
export interface Problem {
  /** A word that programs may compare: a Kubernetes reason such as `NotFound`, or one of this program's. */
  readonly code: string
  readonly message: string
  /** The object it is about, as `kind/name`. */
  readonly object?: string
  /** The field, option or file it is about. */
  readonly path?: string
  /** What led to it, outermost first. */
  readonly causes: readonly string[]
  /** The next command to run. */
  readonly next: string
}

/** A command cannot do what was asked; the message says why and `next` what to run. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly problem: Pick<Problem, 'code' | 'next'> & Partial<Pick<Problem, 'object' | 'path'>>
  readonly exitCode: ExitCode

  constructor(
    message: string,
    options: CliError['problem'] & { readonly exitCode?: ExitCode; readonly cause?: unknown },
  ) {
    const { exitCode = exitCodes.error, cause, ...problem } = options
    super(message, cause === undefined ? undefined : { cause })
    this.problem = problem
    this.exitCode = exitCode
  }
}

/** More causes than this say nothing that the first ones did not. */
const MAX_CAUSES = 5

/** Puts any error into words. `program` is how the reader starts this program. */
export function problemOf(error: unknown, program: string): { readonly problem: Problem; readonly exitCode: ExitCode } {
  const causes = causesOf(error)
  if (error instanceof CliError) return { problem: ownProblem(error, causes), exitCode: error.exitCode }
  const doctor = `${program} doctor`
  if (error instanceof ApiError) return { problem: apiProblem(error, { causes, program }), exitCode: codeOf(error) }
  if (error instanceof ConnectionError) {
    const isLate = /No answer within/.test(error.message)
    return {
      problem: { code: isLate ? 'Timeout' : 'Unreachable', message: error.message, causes, next: doctor },
      exitCode: isLate ? exitCodes.timeout : exitCodes.error,
    }
  }
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof KubeconfigError ? 'InvalidKubeconfig' : 'InternalError'
  return { problem: { code, message, causes, next: doctor }, exitCode: exitCodes.error }
}

function ownProblem({ message, problem }: CliError, causes: readonly string[]): Problem {
  const { code, object, path, next } = problem
  return {
    code,
    message,
    ...(object === undefined ? {} : { object }),
    ...(path === undefined ? {} : { path }),
    causes,
    next,
  }
}

function codeOf(error: ApiError): ExitCode {
  return error.reason === 'Timeout' || error.reason === 'ServerTimeout' ? exitCodes.timeout : exitCodes.error
}

function apiProblem(
  error: ApiError,
  context: { readonly causes: readonly string[]; readonly program: string },
): Problem {
  const { details } = error
  const field = details?.causes?.find((cause) => cause.field !== undefined)?.field
  const object = details?.name === undefined ? undefined : `${details.kind ?? 'object'}/${details.name}`
  return {
    code: error.reason === '' ? `HTTP${error.code}` : error.reason,
    message: error.message,
    ...(object === undefined ? {} : { object }),
    ...(field === undefined ? {} : { path: field }),
    causes: context.causes,
    next: nextAfter(error, context.program),
  }
}

function nextAfter(error: ApiError, program: string): string {
  switch (error.reason) {
    case 'Unauthorized':
    case 'Forbidden':
      return 'kubectl auth whoami; kubectl auth can-i --list'
    case 'NotFound':
      return `${program} status -A`
    default:
      return `${program} doctor`
  }
}

function causesOf(error: unknown): readonly string[] {
  const causes: string[] = []
  let cause: unknown = error instanceof Error ? error.cause : undefined
  while (cause instanceof Error && causes.length < MAX_CAUSES) {
    causes.push(cause.message)
    cause = cause.cause
  }
  return causes
}
