import type { KubeObject } from './object.ts'

/** Everything needed to address a resource over the API and to describe it in discovery. */
export interface ResourceInfo {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
}

declare const objectType: unique symbol

/** A resource together with the TypeScript type of its objects. The type exists at compile time only. */
export interface Kind<T extends KubeObject = KubeObject> extends ResourceInfo {
  readonly [objectType]?: T
}

/** `v1` for the core group, otherwise `group/version`. */
export function apiVersionOf(resource: Pick<ResourceInfo, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** `plural.group`, or `plural` for the core group: how errors and CRD names spell a resource. */
export function qualifiedResource(resource: Pick<ResourceInfo, 'group' | 'plural'>): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
}

/** The collection's path, or one object's when `name` is given. Names are percent-encoded. */
export function resourcePath(
  resource: ResourceInfo,
  target: { readonly namespace?: string; readonly name?: string; readonly subresource?: string } = {},
): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  const scope =
    resource.namespaced && target.namespace !== undefined ? `/namespaces/${encodeURIComponent(target.namespace)}` : ''
  const name = target.name === undefined ? '' : `/${encodeURIComponent(target.name)}`
  const subresource = target.subresource === undefined ? '' : `/${target.subresource}`
  return `${root}${scope}/${resource.plural}${name}${subresource}`
}
