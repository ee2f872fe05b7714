import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { parseYaml } from '@orrery/api'

/** How to reach one API server and who to be there. Holds secrets: never log it. */
export interface ApiServer {
  /** `https://host:port`, with a path prefix where the server has one. */
  readonly url: string
  /** PEM. */
  readonly ca?: string
  readonly clientCertificate?: string
  readonly clientKey?: string
  readonly insecureSkipTlsVerify: boolean
  readonly tlsServerName?: string
  readonly token?: string
  /** Read again when it changes: projected tokens rotate. */
  readonly tokenFile?: string
  readonly basic?: { readonly username: string; readonly password: string }
  readonly impersonate?: { readonly user: string; readonly groups: readonly string[] }
  /** The context's namespace. */
  readonly namespace: string
}

/** The kubeconfig cannot be used. The message names the file, the entry and what to do; it never quotes a secret. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError'
}

/** The files kubectl would read: `KUBECONFIG` (several, first wins), else `~/.kube/config`. */
export function kubeconfigPaths(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const listed = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '')
  return listed.length > 0 ? listed : [join(environment['HOME'] ?? homedir(), '.kube', 'config')]
}

/** Reads and merges the files; entries of an earlier file win. Throws {@link KubeconfigError}. */
export function loadKubeconfig(options: { readonly paths: readonly string[]; readonly context?: string }): ApiServer {
  const files = options.paths.map((path) => {
    try {
      return parseFile(readFileSync(path, 'utf8'), path)
    } catch (cause) {
      if (cause instanceof KubeconfigError) throw cause
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new KubeconfigError(`Cannot read the kubeconfig ${path}: ${why}`, { cause })
    }
  })
  return resolveServer(files, options.context)
}

/** The same for a text that is not in a file; relative paths inside it count from `directory`. */
export function parseKubeconfig(
  text: string,
  options: { readonly directory: string; readonly context?: string },
): ApiServer {
  return resolveServer([parseFile(text, join(options.directory, 'kubeconfig'))], options.context)
}

type Fields = Readonly<Record<string, unknown>>

interface File {
  readonly path: string
  readonly content: Fields
}

function parseFile(text: string, path: string): File {
  const content: unknown = parseYaml(text).value
  if (!isFields(content)) throw new KubeconfigError(`The kubeconfig ${path} is not a YAML mapping.`)
  return { path, content }
}

function resolveServer(files: readonly File[], wanted: string | undefined): ApiServer {
  const where = files.map((file) => file.path).join(', ')
  const contextName =
    wanted ?? files.map((file) => textOf(file.content['current-context'])).find((name) => name !== undefined)
  if (contextName === undefined) {
    throw new KubeconfigError(
      `${where} sets no current-context. Name one: kubectl config use-context NAME, or pass a context.`,
    )
  }
  const context = entryOf(files, 'contexts', 'context', contextName)
  const cluster = entryOf(files, 'clusters', 'cluster', textOf(context.fields['cluster']) ?? '')
  const userName = textOf(context.fields['user'])
  const user = userName === undefined ? undefined : entryOf(files, 'users', 'user', userName)
  return {
    ...clusterOf(cluster),
    ...(user === undefined ? {} : userOf(user)),
    namespace: textOf(context.fields['namespace']) ?? 'default',
  }
}

interface Entry {
  readonly name: string
  readonly path: string
  readonly fields: Fields
}

function entryOf(files: readonly File[], list: string, field: string, name: string): Entry {
  for (const { path, content } of files) {
    const entries: readonly unknown[] = Array.isArray(content[list]) ? content[list] : []
    const entry = entries.filter(isFields).find((candidate) => candidate['name'] === name)
    if (entry === undefined) continue
    const fields = entry[field]
    return { name, path, fields: isFields(fields) ? fields : {} }
  }
  throw new KubeconfigError(`No entry named "${name}" under ${list} of ${files.map((file) => file.path).join(', ')}.`)
}

function clusterOf(entry: Entry): Pick<ApiServer, 'url' | 'ca' | 'insecureSkipTlsVerify' | 'tlsServerName'> {
  const url = textOf(entry.fields['server'])
  if (url === undefined || !/^https?:\/\//.test(url)) {
    throw new KubeconfigError(`Cluster "${entry.name}" of ${entry.path} has no server of the form https://host:port.`)
  }
  const proxy = textOf(entry.fields['proxy-url'])
  if (proxy !== undefined) {
    throw new KubeconfigError(
      `Cluster "${entry.name}" of ${entry.path} uses proxy-url, which Orrery does not support. Reach the server directly, or through a tunnel.`,
    )
  }
  const ca = pemOf(entry, 'certificate-authority')
  const tlsServerName = textOf(entry.fields['tls-server-name'])
  return {
    url: url.replace(/\/+$/, ''),
    insecureSkipTlsVerify: entry.fields['insecure-skip-tls-verify'] === true,
    ...(ca === undefined ? {} : { ca }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
  }
}

function userOf(entry: Entry): Omit<ApiServer, 'url' | 'ca' | 'insecureSkipTlsVerify' | 'tlsServerName' | 'namespace'> {
  for (const plugin of ['exec', 'auth-provider']) {
    if (entry.fields[plugin] === undefined) continue
    throw new KubeconfigError(
      `User "${entry.name}" of ${entry.path} logs in through ${plugin}, which Orrery does not run. ` +
        'Use a client certificate or a token, e.g. of a service account: kubectl create token NAME.',
    )
  }
  const clientCertificate = pemOf(entry, 'client-certificate')
  const clientKey = pemOf(entry, 'client-key')
  if ((clientCertificate === undefined) !== (clientKey === undefined)) {
    throw new KubeconfigError(`User "${entry.name}" of ${entry.path} needs client-certificate and client-key together.`)
  }
  const token = textOf(entry.fields['token'])
  const tokenFile = textOf(entry.fields['tokenFile'])
  const username = textOf(entry.fields['username'])
  const as = textOf(entry.fields['as'])
  const groups: readonly unknown[] = Array.isArray(entry.fields['as-groups']) ? entry.fields['as-groups'] : []
  return {
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
    // As kubectl: a token file wins over an inline token.
    ...(tokenFile === undefined
      ? token === undefined
        ? {}
        : { token }
      : { tokenFile: resolvePath(entry, tokenFile) }),
    ...(username === undefined ? {} : { basic: { username, password: textOf(entry.fields['password']) ?? '' } }),
    ...(as === undefined
      ? {}
      : { impersonate: { user: as, groups: groups.filter((group) => typeof group === 'string') } }),
  }
}

/** Inline data wins over a file, as with kubectl. */
function pemOf(entry: Entry, field: string): string | undefined {
  const inline = textOf(entry.fields[`${field}-data`])
  const file = textOf(entry.fields[field])
  if (inline === undefined && file === undefined) return undefined
  const path = file === undefined ? undefined : resolvePath(entry, file)
  let pem: string
  try {
    pem = inline === undefined ? readFileSync(path ?? '', 'utf8') : Buffer.from(inline, 'base64').toString('utf8')
  } catch (cause) {
    throw new KubeconfigError(`Entry "${entry.name}" of ${entry.path}: cannot read ${field} from ${path}.`, { cause })
  }
  if (!pem.includes('-----BEGIN ')) {
    throw new KubeconfigError(
      `Entry "${entry.name}" of ${entry.path}: ${inline === undefined ? field : `${field}-data`} is not PEM.`,
    )
  }
  return pem
}

function resolvePath(entry: Entry, path: string): string {
  return isAbsolute(path) ? path : join(dirname(entry.path), path)
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
