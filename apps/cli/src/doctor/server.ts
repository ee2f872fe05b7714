import type { Kind } from '@orrery/api'
import { ApiError, customResourceDefinitions, leases, qualifiedResource } from '@orrery/api'
import { assess } from '../assess.ts'
import { fieldsOf, listOf, textOf } from '../fields.ts'
import { Lookup } from '../lookup.ts'
import { judgeLease, MANAGER_LEASE } from '../manager-lease.ts'
import { displayKind } from '../resources.ts'
import { count, formatDuration, shellQuote } from '../text.ts'
import { CLIENT_VERSION } from '../version.ts'
import type { Examined, Finding } from './check.ts'
import { fail, ok, warn } from './check.ts'

/** Checks of a server that answers. */

/** What Orrery's manager is made for. */
const MIN_KUBERNETES_MINOR = 31
/** Leases and certificates bear with this much; more confuses people and short leases. */
const CLOCK_WARN_MS = 2_000
const CLOCK_FAIL_MS = 60_000

/** Version of the server, as `/version` tells. */
export interface ServerVersion {
  readonly gitVersion: string
  readonly minor: number | undefined
  /** The version of the Orrery hub, when it is one. */
  readonly hub: string | undefined
}

/** Reads an answer of `/version`. */
export function parseServerVersion(answer: unknown): ServerVersion {
  const { gitVersion, minor } = fieldsOf(answer)
  const text = textOf(gitVersion) ?? 'unknown'
  const number = Number.parseInt(textOf(minor) ?? '', 10)
  return {
    gitVersion: text,
    minor: Number.isNaN(number) ? undefined : number,
    hub: /\+orrery\.(.+)$/.exec(text)?.[1],
  }
}

/** Versions that do not go together. */
export async function checkVersions({ connection, shell }: Examined): Promise<Finding> {
  const version = parseServerVersion(await connection.client.raw('/version', { signal: shell.signal }))
  const text = `client ${CLIENT_VERSION}, server ${version.gitVersion}`
  if (version.minor === undefined || version.minor >= MIN_KUBERNETES_MINOR) return ok('versions', text)
  return fail('versions', `${text}; Orrery needs Kubernetes 1.${MIN_KUBERNETES_MINOR} or later.`, 'kubectl version')
}

/** The difference between the server's clock and this machine's. */
export function checkClock({ connection }: Pick<Examined, 'connection'>): Finding {
  const offsetMs = connection.clockOffsetMs()
  if (offsetMs === undefined) return warn('clock', 'The server tells no time.', 'date')
  // The header has whole seconds: what is below one is not known.
  const difference = Math.max(Math.abs(offsetMs) - 500, 0)
  if (difference < CLOCK_WARN_MS) return ok('clock', 'agrees with the server')
  const text = `The server's clock is ${formatDuration(difference)} ${offsetMs > 0 ? 'ahead of' : 'behind'} this machine's.`
  return difference < CLOCK_FAIL_MS ? warn('clock', text, 'timedatectl') : fail('clock', text, 'timedatectl')
}

const accessReviews: Kind = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  singular: 'selfsubjectaccessreview',
  namespaced: false,
}

/** Whether the reader may do what this program does. */
export async function checkPermissions({ connection, resources, shell }: Examined): Promise<Finding> {
  const wanted = [
    ...resources.managed.map(({ group, plural }) => ({ verb: 'list', group, resource: plural })),
    { verb: 'list', group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' },
    { verb: 'get', group: 'coordination.k8s.io', resource: 'leases', ...MANAGER_LEASE },
  ]
  const answers = await Promise.all(
    wanted.map(async (attributes) => {
      const review = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        metadata: { name: '' },
        spec: { resourceAttributes: attributes },
      }
      const answer = fieldsOf(await connection.client.create(accessReviews, review, { signal: shell.signal }))
      return fieldsOf(answer['status'])['allowed'] === true
    }),
  )
  const denied = wanted.filter((_, index) => answers[index] !== true)
  if (denied.length === 0) return ok('permissions', `${count(wanted.length, 'permission')} of ${wanted.length} granted`)
  const names = denied.map(({ verb, group, resource }) => `${verb} ${qualifiedResource({ group, plural: resource })}`)
  return warn('permissions', `You may not ${names.join(', ')}; what needs it is left out.`, 'kubectl auth can-i --list')
}

// The file is named, for a manager looks for its kubeconfig in fewer places than this program.
const startManager = ({ connection, shell }: Examined) =>
  [
    `${shell.program} manager`,
    ...connection.kubeconfigs.slice(0, 1).map((file) => `--kubeconfig ${shellQuote(file)}`),
  ].join(' ')

/** Whether the kinds of the providers are installed and served. */
export async function checkDefinitions(examined: Examined): Promise<Finding> {
  const { connection, resources, shell } = examined
  const { items } = await connection.client.listAll(customResourceDefinitions, { signal: shell.signal })
  const ours = items.filter(({ spec }) => listOf(fieldsOf(spec['names'])['categories']).includes('orrery'))
  if (ours.length === 0) {
    return fail('definitions', 'No kind of a provider is installed; a manager does that.', startManager(examined))
  }
  const broken = ours.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp !== undefined ||
      status?.conditions?.some(({ type, status: value }) => type === 'Established' && value === 'True') !== true,
  )
  const [first] = broken
  if (first === undefined)
    return ok(
      'definitions',
      `${count(ours.length, 'kind')} of ${count(resources.managed.length === 0 ? 0 : new Set(resources.managed.map(({ group }) => group)).size, 'provider')} served`,
    )
  const names = broken.map(({ metadata }) => metadata.name).join(', ')
  return fail('definitions', `Not served, or being deleted: ${names}.`, `kubectl describe crd ${first.metadata.name}`)
}

/** Whether a manager acts. */
export async function checkManager(examined: Examined): Promise<Finding> {
  const { connection, shell } = examined
  const lease = await connection.client.find(leases, MANAGER_LEASE, { signal: shell.signal })
  const judged = judgeLease(lease, shell.clock.now() + (connection.clockOffsetMs() ?? 0))
  if (judged.isAlive) return ok('manager', judged.message)
  return fail('manager', `Nothing is reconciled: ${judged.message}.`, startManager(examined))
}

/** Whether managed objects need somebody. */
export async function checkObjects({ connection, resources, shell }: Examined): Promise<Finding> {
  const { items, unreadable } = await new Lookup(connection.client, shell.signal).list(resources.managed, undefined)
  const judged = items.map((item) => ({ item, assessment: assess(item) }))
  const troubled = judged.filter(({ assessment }) => assessment.state !== 'ready')
  const hidden = unreadable.length === 0 ? '' : `; ${count(unreadable.length, 'kind')} could not be read`
  if (troubled.length === 0) return ok('objects', `${count(items.length, 'object')}, all ready${hidden}`)
  const names = troubled
    .slice(0, 3)
    .map(({ item, assessment }) => `${displayKind(resources, item.resource)}/${item.key.name} ${assessment.state}`)
  const more = troubled.length > names.length ? `, and ${troubled.length - names.length} more` : ''
  return warn(
    'objects',
    `${troubled.length} of ${count(items.length, 'object')} need a look: ${names.join(', ')}${more}${hidden}.`,
    `${shell.program} status`,
  )
}

/** The finding for a check that the server refused. */
export function refused(check: string, error: unknown): Finding {
  if (!(error instanceof ApiError)) throw error
  return warn(check, `Could not be checked: ${error.message}`, 'kubectl auth can-i --list')
}
