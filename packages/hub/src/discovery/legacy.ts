import { createHash } from 'node:crypto'
import type { ResourceInfo } from '@orrery/api'
import { reviewResources } from '../auth/reviews.ts'
import type { ApiGroup, Catalogue, GroupVersion } from '../registry/catalogue.ts'
import type { ServedResource } from '../registry/served-resource.ts'

const builtinVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const
const customVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'] as const
const terminatingVerbs = ['delete', 'deletecollection', 'get', 'list', 'watch'] as const

/** What a resource can do, in Kubernetes' order. */
export function verbsOf({ definition, terminating }: ServedResource): readonly string[] {
  const { info, custom } = definition
  if (custom) return terminating ? terminatingVerbs : customVerbs
  if (info.group === '' && info.plural === 'namespaces')
    return builtinVerbs.filter((verb) => verb !== 'deletecollection')
  return builtinVerbs
}

export interface SubresourceInfo {
  readonly name: string
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly verbs: readonly string[]
}

/** The subresources that are served. */
export function subresourcesOf({ definition }: ServedResource): readonly SubresourceInfo[] {
  const { info } = definition
  const own = { group: info.group, version: info.version, kind: info.kind }
  const verbs = ['get', 'patch', 'update']
  return [
    ...(info.group === '' && info.plural === 'namespaces' ? [{ name: 'finalize', kind: own, verbs: ['update'] }] : []),
    ...(definition.scale === undefined
      ? []
      : [{ name: 'scale', kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs }]),
    ...(definition.status ? [{ name: 'status', kind: own, verbs }] : []),
  ]
}

/** Review resources of a group version: they are served, but not from the catalogue. */
export function reviewsOf(group: string, version: string): readonly ResourceInfo[] {
  return reviewResources.filter((info) => info.group === group && info.version === version)
}

/** Groups of the catalogue together with those that hold reviews alone. */
export function allGroups(catalogue: Catalogue): readonly ApiGroup[] {
  const missing = new Set(reviewResources.map((info) => info.group).filter((name) => !catalogue.byName.has(name)))
  const reviewGroups = [...missing].map(
    (name): ApiGroup => ({ name, custom: false, versions: [{ version: 'v1', resources: new Map() }] }),
  )
  const isBuiltin = (group: ApiGroup) => !group.custom
  return [
    ...catalogue.groups.filter(isBuiltin),
    ...reviewGroups,
    ...catalogue.groups.filter((group) => !isBuiltin(group)),
  ]
}

/** `GET /api`. */
export function coreVersions(host: string): unknown {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: host }],
  }
}

/** `GET /apis`. */
export function groupList(catalogue: Catalogue): unknown {
  const groups = allGroups(catalogue).filter((group) => group.name !== '')
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupBody) }
}

/** `GET /apis/<group>`; undefined when it is not served. */
export function oneGroup(catalogue: Catalogue, name: string): unknown {
  const group = allGroups(catalogue).find((candidate) => candidate.name === name && name !== '')
  return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(group) }
}

function groupBody(group: ApiGroup) {
  const versions = group.versions.map(({ version }) => ({ groupVersion: `${group.name}/${version}`, version }))
  return { name: group.name, versions, preferredVersion: versions[0] }
}

/** `GET /api/v1` and `GET /apis/<group>/<version>`; undefined when it is not served. */
export function resourceList(catalogue: Catalogue, name: string, version: string): unknown {
  const group = allGroups(catalogue).find((candidate) => candidate.name === name)
  const found = group?.versions.find((candidate) => candidate.version === version)
  if (group === undefined || found === undefined) return undefined
  return {
    kind: 'APIResourceList',
    ...(name === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: name === '' ? version : `${name}/${version}`,
    resources: [...resourceEntries(found), ...reviewsOf(name, version).map(reviewEntry)],
  }
}

function resourceEntries({ resources }: GroupVersion): readonly unknown[] {
  return [...resources.values()].flatMap((resource) => {
    const { info } = resource.definition
    const main = {
      name: info.plural,
      singularName: info.singular,
      namespaced: info.namespaced,
      kind: info.kind,
      verbs: verbsOf(resource),
      ...(info.shortNames === undefined || info.shortNames.length === 0 ? {} : { shortNames: info.shortNames }),
      ...(info.categories === undefined || info.categories.length === 0 ? {} : { categories: info.categories }),
      storageVersionHash: storageVersionHash(resource),
    }
    const subresources = subresourcesOf(resource).map(({ name, kind, verbs }) => ({
      name: `${info.plural}/${name}`,
      singularName: '',
      namespaced: info.namespaced,
      ...(name === 'scale' ? { group: kind.group, version: kind.version } : {}),
      kind: kind.kind,
      verbs,
    }))
    return [main, ...subresources]
  })
}

function reviewEntry(info: ResourceInfo) {
  return { name: info.plural, singularName: info.singular, namespaced: false, kind: info.kind, verbs: ['create'] }
}

/** Tells storage migrators whether objects are stored in another version than before. */
export function storageVersionHash({ definition, storage }: ServedResource): string {
  const { apiVersion } = storage
  const id = `${apiVersion.includes('/') ? '' : '/'}${apiVersion}/${definition.info.kind}`
  return createHash('sha256').update(id).digest().subarray(0, 8).toString('base64')
}
