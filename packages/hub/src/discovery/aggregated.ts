import { createHash } from 'node:crypto'
import { type ResourceInfo, stringifyJson } from '@orrery/api'
import type { Catalogue, GroupVersion } from '../registry/catalogue.ts'
import type { ServedResource } from '../registry/served-resource.ts'
import { allGroups, reviewsOf, subresourcesOf, verbsOf } from './legacy.ts'

export const aggregatedContentType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/** A document with the tag by which clients find that they have it already. */
export interface TaggedDocument {
  readonly bytes: Uint8Array
  readonly etag: string
}

/** Whether an Accept header asks for aggregated discovery in a version that is served. */
export function wantsAggregated(accept: string): boolean {
  return accept.split(',').some((clause) => {
    const [type, ...parameters] = clause.split(';').map((part) => part.trim())
    return (
      type === 'application/json' &&
      parameters.includes('g=apidiscovery.k8s.io') &&
      parameters.includes('v=v2') &&
      parameters.includes('as=APIGroupDiscoveryList')
    )
  })
}

/** `APIGroupDiscoveryList` of the core group (`/api`) or of all named groups (`/apis`). */
export function aggregatedDiscovery(catalogue: Catalogue, which: 'core' | 'named'): TaggedDocument {
  const groups = allGroups(catalogue).filter((group) => (group.name === '') === (which === 'core'))
  const list = {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map((group) => ({
      metadata: group.name === '' ? {} : { name: group.name },
      versions: group.versions.map((version) => ({
        version: version.version,
        resources: resourcesOf(group.name, version),
        freshness: 'Current',
      })),
    })),
  }
  const bytes = Buffer.from(stringifyJson(list))
  return { bytes, etag: `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"` }
}

function resourcesOf(group: string, { version, resources }: GroupVersion): readonly unknown[] {
  return [...[...resources.values()].map(resourceEntry), ...reviewsOf(group, version).map(reviewEntry)]
}

function resourceEntry(resource: ServedResource) {
  const { info, custom } = resource.definition
  const subresources = subresourcesOf(resource)
  return {
    resource: info.plural,
    responseKind: custom
      ? { group: info.group, version: info.version, kind: info.kind }
      : { group: '', version: '', kind: info.kind },
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs: verbsOf(resource),
    ...(info.shortNames === undefined || info.shortNames.length === 0 ? {} : { shortNames: info.shortNames }),
    ...(info.categories === undefined || info.categories.length === 0 ? {} : { categories: info.categories }),
    ...(subresources.length === 0
      ? {}
      : {
          subresources: subresources.map(({ name, kind, verbs }) => ({ subresource: name, responseKind: kind, verbs })),
        }),
  }
}

function reviewEntry(info: ResourceInfo) {
  return {
    resource: info.plural,
    responseKind: { group: '', version: '', kind: info.kind },
    scope: 'Cluster',
    singularResource: info.singular,
    verbs: ['create'],
  }
}
