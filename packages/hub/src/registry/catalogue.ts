import type { ResourceDefinition } from '../builtin/builtin.ts'
import { defineServedResource, type ServedResource } from './served-resource.ts'

/** One version of one API group. */
export interface GroupVersion {
  readonly version: string
  /** By plural, in the order of discovery. */
  readonly resources: ReadonlyMap<string, ServedResource>
}

export interface ApiGroup {
  readonly name: string
  readonly custom: boolean
  /** The preferred one first. */
  readonly versions: readonly GroupVersion[]
}

/** Everything that is served, at one moment. A new value replaces the old one when a CRD changes. */
export interface Catalogue {
  /** In the order of discovery: core, built-in groups, then groups of CRDs by name. */
  readonly groups: readonly ApiGroup[]
  readonly byName: ReadonlyMap<string, ApiGroup>
}

/** Arranges built-in definitions and custom resources for routing and discovery. */
export function createCatalogue(
  builtins: readonly ResourceDefinition[],
  customResources: Iterable<ServedResource>,
): Catalogue {
  const groups = new Map<string, Map<string, Map<string, ServedResource>>>()
  const builtinGroups = new Set(builtins.map((definition) => definition.info.group))
  for (const definition of builtins) add(groups, defineServedResource({ definition }))
  const custom = [...customResources].sort((a, b) => compare(a.prefix, b.prefix))
  for (const resource of custom) add(groups, resource)
  const list = [...groups].map(
    ([name, versions]): ApiGroup => ({
      name,
      custom: !builtinGroups.has(name),
      versions: [...versions]
        .map(([version, resources]): GroupVersion => ({ version, resources }))
        .sort((a, b) => compareVersions(a.version, b.version)),
    }),
  )
  list.sort((a, b) => rank(a) - rank(b) || compare(a.name, b.name))
  return { groups: list, byName: new Map(list.map((group) => [group.name, group])) }
}

function add(groups: Map<string, Map<string, Map<string, ServedResource>>>, resource: ServedResource): void {
  const { group, version, plural } = resource.definition.info
  const versions = groups.get(group) ?? new Map<string, Map<string, ServedResource>>()
  groups.set(group, versions)
  const resources = versions.get(version) ?? new Map<string, ServedResource>()
  versions.set(version, resources)
  resources.set(plural, resource)
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

function rank(group: ApiGroup): number {
  if (group.name === '') return 0
  return group.custom ? 2 : 1
}

/** The served resource at an address, or undefined. */
export function findResource(
  catalogue: Catalogue,
  address: { readonly group: string; readonly version: string; readonly resource: string },
): ServedResource | undefined {
  return catalogue.byName
    .get(address.group)
    ?.versions.find((candidate) => candidate.version === address.version)
    ?.resources.get(address.resource)
}

/** Orders `v2` before `v1` before `v1beta2` before `v1alpha1`, and all of them before other names. */
export function compareVersions(a: string, b: string): number {
  const left = versionRank(a)
  const right = versionRank(b)
  if (left === undefined || right === undefined) {
    if (left !== undefined) return -1
    if (right !== undefined) return 1
    return compare(a, b)
  }
  return right.stability - left.stability || right.major - left.major || right.minor - left.minor
}

function versionRank(version: string) {
  const match = /^v(\d{1,9})(?:(alpha|beta)(\d{1,9}))?$/.exec(version)
  if (match === null) return undefined
  const stability = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0
  return { stability, major: Number(match[1]), minor: Number(match[3] ?? 0) }
}
