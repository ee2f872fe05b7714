import type { Connection } from './connection.ts'
import type { MachineFormat } from './document.ts'
import type { ExitCode } from './exit-codes.ts'
import { exitCodes } from './exit-codes.ts'
import type { Unreadable } from './lookup.ts'
import { Lookup } from './lookup.ts'
import { CliError } from './problem.ts'
import type { Catalogue } from './relations.ts'
import type { Resources } from './resources.ts'
import { loadResources } from './resources.ts'
import type { Shell } from './shell.ts'

/** Options that every command which talks to a server has. */
export interface CommonOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly requestTimeout?: number
  readonly namespace?: string
  readonly output?: string
}

/** What a command works with. */
export interface Session {
  readonly shell: Shell
  readonly connection: Connection
  readonly resources: Resources
  readonly lookup: Lookup
  /** The namespace that `-n` or the context names. */
  readonly namespace: string
}

/** Connects, asks the server what it serves, runs, and closes the connection whatever happens. */
export async function withSession<T>(
  shell: Shell,
  options: CommonOptions,
  run: (session: Session) => Promise<T>,
): Promise<T> {
  await using connection = shell.connect(connectOptionsOf(options))
  const resources = await loadResources(connection.client, shell.signal)
  return await run({
    shell,
    connection,
    resources,
    lookup: new Lookup(connection.client, shell.signal),
    namespace: options.namespace ?? connection.namespace,
  })
}

/** The part of the options that says which server. */
export function connectOptionsOf({ kubeconfig, context, requestTimeout }: CommonOptions) {
  return { kubeconfig, context, timeoutMs: requestTimeout === undefined ? undefined : requestTimeout * 1000 }
}

/** The kinds and how they refer to each other. */
export async function loadCatalogue({ resources, lookup }: Session): Promise<Catalogue> {
  return { resources, references: await lookup.referenceKinds() }
}

/** The machine format of `-o`, or undefined for people. */
export function machineFormat({ output }: CommonOptions): MachineFormat | undefined {
  return output === 'json' || output === 'yaml' ? output : undefined
}

/** `KIND/NAME` or `KIND NAME`. Throws {@link CliError} for anything else. */
export function parseTarget(words: readonly string[], shell: Shell): { readonly kind: string; readonly name: string } {
  const [first = '', ...rest] = words
  const [kind = '', ...names] = [...first.split('/'), ...rest]
  const [name = ''] = names
  if (kind !== '' && name !== '' && names.length === 1) return { kind, name }
  throw new CliError(`"${words.join(' ')}" does not name one object. Write KIND/NAME, e.g. database/app.`, {
    code: 'InvalidArgument',
    path: 'KIND/NAME',
    next: `${shell.program} status`,
  })
}

/** Throws {@link CliError} when none of the wanted kinds could be read. */
export function requireReadable(
  { shell }: Session,
  seen: { readonly wanted: number; readonly unreadable: readonly Unreadable[]; readonly namespace: string | undefined },
): void {
  const [first] = seen.unreadable
  if (first === undefined || seen.unreadable.length < seen.wanted) return
  throw new CliError(first.message, {
    code: first.reason,
    object: first.resource.plural,
    next: seen.namespace === undefined ? `${shell.program} status -n NAMESPACE` : 'kubectl auth can-i --list',
  })
}

/** The exit code for what was looked at. What could not be read is an error, whatever the rest is like. */
export function differenceCode(
  isAsDeclared: boolean,
  options: { readonly exitZero?: boolean },
  unreadable: readonly Unreadable[] = [],
): ExitCode {
  if (unreadable.length > 0) return exitCodes.error
  return isAsDeclared || options.exitZero === true ? exitCodes.done : exitCodes.difference
}
