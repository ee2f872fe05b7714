import { qualifiedResource } from '@orrery/api'
import type { DiscoveredResource } from '@orrery/client'
import { fieldsOf, listOf, textOf } from './fields.ts'
import type { Item } from './item.ts'
import type { Resources } from './resources.ts'
import { findResource } from './resources.ts'

/** What objects need of each other, read from their specs. */

/** One object needs another. */
export interface Link {
  /** The field that says so, e.g. `spec.providerConfigRef`. */
  readonly field: string
  /** How the need is met: reached through it, part of it, reading it, or merely naming it. */
  readonly role: 'access' | 'container' | 'secret' | 'reference'
  readonly resource: DiscoveredResource
  /** Absent: nothing matches the selector yet. */
  readonly name: string | undefined
  /** Absent for cluster-scoped targets. */
  readonly namespace: string | undefined
}

/** Kinds of reference fields, by `plural.group` of the object and then by field: `owner` to `Role`. */
export type ReferenceKinds = ReadonlyMap<string, Readonly<Record<string, string>>>

export interface Catalogue {
  readonly resources: Resources
  readonly references: ReferenceKinds
}

/** Names one kind among all. */
export const kindId = ({ group, kind }: Pick<DiscoveredResource, 'group' | 'kind'>): string => `${group}/${kind}`

/** Names one object among all. */
export function itemId(of: {
  readonly resource: Pick<DiscoveredResource, 'group' | 'kind'>
  readonly namespace: string | undefined
  readonly name: string
}): string {
  return `${kindId(of.resource)}:${of.namespace ?? ''}/${of.name}`
}

export const idOf = ({ resource, key }: Item): string => itemId({ resource, namespace: key.namespace, name: key.name })

/** Everything an object needs, in the order in which it is reached: access first. */
export function linksOf(item: Item, catalogue: Catalogue): readonly Link[] {
  return [...accessLinks(item, catalogue), ...referenceLinks(item, catalogue)]
}

/** The Secret an object writes, if it does. */
export const writtenSecret = (item: Item): string | undefined =>
  textOf(fieldsOf(item.spec['writeConnectionSecretToRef'])['name'])

/** Kinds that say how to reach a system; other kinds are in it. */
export const isConfig = ({ kind }: Pick<DiscoveredResource, 'kind'>): boolean => kind.endsWith('ProviderConfig')

function accessLinks(item: Item, { resources }: Catalogue): readonly Link[] {
  const { group } = item.resource
  const { providerConfigRef, instanceRef, credentialsSecretRef } = item.spec
  const config = fieldsOf(providerConfigRef)
  const namespace = item.key.namespace
  const links: Link[] = []
  const add = (link: Omit<Link, 'resource'>, kind: { readonly group: string; readonly kind: string }) => {
    const resource = findResource(resources, kind)
    if (resource !== undefined)
      links.push({ ...link, resource, namespace: resource.namespaced ? link.namespace : undefined })
  }
  const name = (value: unknown) => textOf(fieldsOf(value)['name'])
  if (name(config) !== undefined) {
    const kind = textOf(config['kind']) ?? 'ProviderConfig'
    add({ field: 'spec.providerConfigRef', role: 'access', name: name(config), namespace }, { group, kind })
  }
  if (isConfig(item.resource) && name(instanceRef) !== undefined) {
    add({ field: 'spec.instanceRef', role: 'access', name: name(instanceRef), namespace }, { group, kind: 'Instance' })
  }
  if (name(credentialsSecretRef) !== undefined) {
    const at = namespace ?? textOf(fieldsOf(credentialsSecretRef)['namespace'])
    const link: Omit<Link, 'resource'> = {
      field: 'spec.credentialsSecretRef',
      role: 'secret',
      name: name(credentialsSecretRef),
      namespace: at,
    }
    add(link, { group: '', kind: 'Secret' })
  }
  return links
}

function referenceLinks(item: Item, catalogue: Catalogue): readonly Link[] {
  const forProvider = fieldsOf(item.spec['forProvider'])
  return Object.entries(forProvider).flatMap(([field, value]) => {
    const match = /^(.+?)(SecretRef|Refs?|Selector)$/.exec(field)
    const [, base = '', suffix = ''] = match ?? []
    const resource = suffix === 'SecretRef' ? secretKind(catalogue) : targetKind(item, base, catalogue)
    if (match === null || resource === undefined) return []
    const role =
      suffix === 'SecretRef' ? 'secret' : base.toLowerCase() === resource.singular ? 'container' : 'reference'
    const names = suffix === 'Selector' ? selected(item, base) : namesIn(value)
    return names.map((name): Link => {
      return { field: `spec.forProvider.${field}`, role, resource, name, namespace: item.key.namespace }
    })
  })
}

const secretKind = ({ resources }: Catalogue) => findResource(resources, { group: '', kind: 'Secret' })

// What the definition says; where it cannot be read, the kind that the field is named after.
function targetKind(item: Item, base: string, { resources, references }: Catalogue): DiscoveredResource | undefined {
  const { group } = item.resource
  const declared = references.get(qualifiedResource(item.resource))?.[base]
  if (declared !== undefined) {
    const [kind = '', of = group] = declared.split('/').toReversed()
    return findResource(resources, { group: of, kind })
  }
  return resources.managed.find((resource) => resource.group === group && resource.singular === base.toLowerCase())
}

function namesIn(value: unknown): readonly string[] {
  return (Array.isArray(value) ? listOf(value) : [value]).flatMap((each) => textOf(fieldsOf(each)['name']) ?? [])
}

// Nothing selected yet is a need that nothing meets.
function selected(item: Item, base: string): readonly (string | undefined)[] {
  const names = listOf(fieldsOf(fieldsOf(item.status['references'])[base])['names']).flatMap(
    (name) => textOf(name) ?? [],
  )
  return names.length > 0 ? names : [undefined]
}
