import type { Kind, ResourceInfo } from '@orrery/api'
import { apiVersionOf } from '@orrery/api'
import type { Client } from './client.ts'

/** A resource as a server describes it. */
export interface DiscoveredResource extends ResourceInfo {
  readonly verbs: readonly string[]
  readonly subresources: readonly string[]
}

export interface Discovery {
  /** Every served resource once, in the version its server prefers. */
  readonly resources: readonly DiscoveredResource[]
  /** Group versions that could not be described. What they hold is unknown, not absent. */
  readonly failures: readonly { readonly groupVersion: string; readonly message: string }[]
}

/** More groups than any server has; a limit against a server gone mad. */
export const MAX_GROUP_VERSIONS = 2_000

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json'

/**
 * What the server serves, from aggregated discovery, or group by group where it has none. Throws when the
 * root cannot be read; a single group that fails is reported in `failures`.
 */
export async function discover(client: Client, options: { readonly signal?: AbortSignal } = {}): Promise<Discovery> {
  const [core, groups] = await Promise.all([
    client.raw('/api', { accept: AGGREGATED, ...options }),
    client.raw('/apis', { accept: AGGREGATED, ...options }),
  ])
  const versions = [
    ...(await versionsOf(client, core, '/api', options)),
    ...(await versionsOf(client, groups, '/apis', options)),
  ]
  const resources = new Map<string, DiscoveredResource>()
  const failures: { groupVersion: string; message: string }[] = []
  for (const version of versions.slice(0, MAX_GROUP_VERSIONS)) {
    if (version.failure !== undefined) failures.push({ groupVersion: apiVersionOf(version), message: version.failure })
    for (const resource of version.resources) {
      const id = `${resource.group}/${resource.plural}`
      if (!resources.has(id)) resources.set(id, resource) // Preferred versions come first.
    }
  }
  return { resources: [...resources.values()], failures }
}

/** The address of a discovered resource, for the client. */
export function kindOf(resource: DiscoveredResource): Kind {
  const { group, version, kind, plural, singular, namespaced } = resource
  return { group, version, kind, plural, singular, namespaced }
}

interface Version {
  readonly group: string
  readonly version: string
  readonly resources: readonly DiscoveredResource[]
  readonly failure?: string
}

async function versionsOf(
  client: Client,
  answer: unknown,
  root: '/api' | '/apis',
  options: { readonly signal?: AbortSignal },
): Promise<readonly Version[]> {
  const answered = record(answer)
  if (answered['kind'] === 'APIGroupDiscoveryList') return array(answered['items']).flatMap(aggregatedVersions)
  const wanted =
    root === '/api'
      ? array(answered['versions']).map((version) => ({ group: '', version: text(version) }))
      : array(answered['groups']).flatMap(legacyVersions)
  return Promise.all(wanted.slice(0, MAX_GROUP_VERSIONS).map((version) => legacyVersion(client, version, options)))
}

function aggregatedVersions(item: unknown): readonly Version[] {
  const group = text(record(record(item)['metadata'])['name'])
  return array(record(item)['versions']).map((entry) => {
    const version = text(record(entry)['version'])
    const stale = record(entry)['freshness'] === 'Stale'
    return {
      group,
      version,
      resources: array(record(entry)['resources']).map((resource) =>
        aggregatedResource(group, version, record(resource)),
      ),
      ...(stale ? { failure: 'stale GroupVersion discovery' } : {}),
    }
  })
}

function aggregatedResource(group: string, version: string, from: Fields): DiscoveredResource {
  return {
    group,
    version,
    kind: text(record(from['responseKind'])['kind']),
    plural: text(from['resource']),
    singular: text(from['singularResource']),
    namespaced: from['scope'] === 'Namespaced',
    shortNames: array(from['shortNames']).map(text),
    categories: array(from['categories']).map(text),
    verbs: array(from['verbs']).map(text),
    subresources: array(from['subresources']).map((subresource) => text(record(subresource)['subresource'])),
  }
}

function legacyVersions(group: unknown): readonly { group: string; version: string }[] {
  const name = text(record(group)['name'])
  const preferred = text(record(record(group)['preferredVersion'])['version'])
  const versions = array(record(group)['versions']).map((entry) => text(record(entry)['version']))
  return [preferred, ...versions.filter((version) => version !== preferred)]
    .filter((version) => version !== '')
    .map((version) => ({ group: name, version }))
}

async function legacyVersion(
  client: Client,
  at: { readonly group: string; readonly version: string },
  options: { readonly signal?: AbortSignal },
): Promise<Version> {
  try {
    const root = at.group === '' ? '/api' : '/apis'
    const entries = array(record(await client.raw(`${root}/${apiVersionOf(at)}`, options))['resources']).map(record)
    const subresourcesOf = (plural: string) =>
      entries
        .map((entry) => text(entry['name']))
        .filter((name) => name.startsWith(`${plural}/`))
        .map((name) => name.slice(plural.length + 1))
    const resources = entries
      .filter((entry) => !text(entry['name']).includes('/'))
      .map((entry) => ({
        ...at,
        kind: text(entry['kind']),
        plural: text(entry['name']),
        singular: text(entry['singularName']),
        namespaced: entry['namespaced'] === true,
        shortNames: array(entry['shortNames']).map(text),
        categories: array(entry['categories']).map(text),
        verbs: array(entry['verbs']).map(text),
        subresources: subresourcesOf(text(entry['name'])),
      }))
    return { ...at, resources }
  } catch (error) {
    options.signal?.throwIfAborted()
    return { ...at, resources: [], failure: error instanceof Error ? error.message : String(error) }
  }
}

type Fields = Readonly<Record<string, unknown>>

const record = (value: unknown): Fields => (typeof value === 'object' && value !== null ? { ...value } : {})
const array = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
