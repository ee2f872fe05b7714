import type { ResourceInfo } from '@orrery/api'

/** How Kubernetes names schemas, operations and tags. Clients and code generators know these names. */

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1'

/** Schemas of `meta/v1` that other schemas and paths refer to. */
export const metaNames = {
  objectMeta: `${meta}.ObjectMeta`,
  listMeta: `${meta}.ListMeta`,
  status: `${meta}.Status`,
  deleteOptions: `${meta}.DeleteOptions`,
  patch: `${meta}.Patch`,
  scale: 'io.k8s.api.autoscaling.v1.Scale',
} as const

export const reference = (name: string): { readonly $ref: string } => ({ $ref: `#/components/schemas/${name}` })

/** `io.k8s.api.core.v1.ConfigMap`, or for a custom resource its reversed group: `com.example.v1.Widget`. */
export function schemaName(info: Pick<ResourceInfo, 'group' | 'version' | 'kind'>, custom: boolean): string {
  const { group, version, kind } = info
  if (custom) return `${group.split('.').toReversed().join('.')}.${version}.${kind}`
  if (group === 'apiextensions.k8s.io')
    return `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.${version}.${kind}`
  return `io.k8s.api.${group === '' ? 'core' : group.replace(/\.k8s\.io$/, '')}.${version}.${kind}`
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const groupWords = (group: string): readonly string[] =>
  group === '' ? ['core'] : group.replace(/\.k8s\.io$/, '').split(/[.-]/)

/** `CoreV1`, `WExampleComV1`: the middle of an operation's id. */
export function operationGroup(info: Pick<ResourceInfo, 'group' | 'version'>): string {
  return groupWords(info.group).map(capital).join('') + capital(info.version)
}

/** `core_v1`, `wExampleCom_v1`. */
export function tagOf(info: Pick<ResourceInfo, 'group' | 'version'>): string {
  const [first = '', ...rest] = groupWords(info.group)
  return `${first}${rest.map(capital).join('')}_${info.version}`
}
