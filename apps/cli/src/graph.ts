import type { DiscoveredResource } from '@orrery/client'
import type { Item } from './item.ts'
import type { Catalogue, Link } from './relations.ts'
import { idOf, isConfig, itemId, linksOf } from './relations.ts'

/** Objects as a forest: each below the one it lives in, with its further needs beside it. */
export interface Node {
  readonly id: string
  readonly resource: DiscoveredResource
  readonly name: string
  /** Absent for cluster-scoped objects. */
  readonly namespace: string | undefined
  /** Absent: something names it, and it does not exist. */
  readonly item: Item | undefined
  readonly links: readonly Link[]
  readonly children: readonly Node[]
}

interface Entry {
  readonly id: string
  readonly resource: DiscoveredResource
  readonly name: string
  readonly namespace: string | undefined
  readonly item: Item | undefined
  readonly links: readonly Link[]
}

/**
 * Builds the forest from objects and from Secrets, of which only those are shown that one of the objects owns or
 * reads. What is named and missing has a node of its own. Every node appears once.
 */
export function buildForest(
  objects: { readonly items: readonly Item[]; readonly secrets: readonly Item[]; readonly isWhole: boolean },
  catalogue: Catalogue,
): readonly Node[] {
  const entries = new Map<string, Entry>()
  for (const item of [...objects.items, ...objects.secrets]) {
    entries.set(idOf(item), entryOf(item, linksOf(item, catalogue)))
  }
  // Where not everything could be read, what was not found may well exist.
  if (objects.isWhole) for (const entry of missing(entries)) entries.set(entry.id, entry)
  const homes = findHomes(entries)
  const children = new Map<string, Entry[]>()
  for (const [id, home] of homes) {
    const entry = entries.get(id)
    if (entry !== undefined) children.set(home, [...(children.get(home) ?? []), entry])
  }
  const toNode = (entry: Entry): Node => ({
    ...entry,
    children: (children.get(entry.id) ?? []).toSorted(byName).map(toNode),
  })
  const isLoose = (entry: Entry) => isSecret(entry.resource) && entry.item !== undefined
  return [...entries.values()]
    .filter((entry) => !homes.has(entry.id) && !isLoose(entry))
    .toSorted(byName)
    .map(toNode)
}

const isSecret = ({ group, kind }: DiscoveredResource) => group === '' && kind === 'Secret'

function entryOf(item: Item, links: readonly Link[]): Entry {
  const { resource, key } = item
  return { id: idOf(item), resource, name: key.name, namespace: key.namespace, item, links }
}

function byName(a: Entry, b: Entry): number {
  const text = ({ resource, namespace = '', name }: Entry) =>
    [namespace, isSecret(resource) ? '1' : '0', resource.kind, name].join('\u0000')
  return text(a) < text(b) ? -1 : 1
}

function targetId({ resource, namespace, name }: Link): string | undefined {
  return name === undefined ? undefined : itemId({ resource, namespace, name })
}

function missing(entries: ReadonlyMap<string, Entry>): readonly Entry[] {
  return [...entries.values()].flatMap(({ links }) =>
    links.flatMap((link): readonly Entry[] => {
      const { resource, namespace, name } = link
      const id = targetId(link)
      if (id === undefined || name === undefined || entries.has(id)) return []
      return [{ id, resource, name, namespace, item: undefined, links: [] }]
    }),
  )
}

/** By object: the one it is shown under. No object is its own ancestor. */
function findHomes(entries: ReadonlyMap<string, Entry>): ReadonlyMap<string, string> {
  const byUid = new Map(
    [...entries.values()].flatMap(({ id, item }) => (item === undefined ? [] : [[item.uid, id] as const])),
  )
  const homes = new Map<string, string>()
  const depths = new Map<string, number>()
  const place = (entry: Entry): number => {
    const known = depths.get(entry.id)
    if (known !== undefined) return known
    depths.set(entry.id, 0) // A circle of references is cut here.
    let home: string | undefined
    let depth = -1
    for (const candidate of homeCandidates(entry, byUid)) {
      const target = entries.get(candidate)
      if (target === undefined || target.id === entry.id || target.namespace !== entry.namespace) continue
      const found = place(target)
      if (found > depth && !isBelow(candidate, entry.id, homes)) [home, depth] = [candidate, found]
    }
    if (home !== undefined) homes.set(entry.id, home)
    depths.set(entry.id, depth + 1)
    return depth + 1
  }
  for (const entry of entries.values()) place(entry)
  placeReadSecrets(entries, homes)
  return homes
}

/** Its owner; else what it is part of; else the way it is reached. Within one rank the deepest wins. */
function homeCandidates({ item, links }: Entry, byUid: ReadonlyMap<string, string>): readonly string[] {
  const owners = (item?.owners ?? []).flatMap((uid) => byUid.get(uid) ?? [])
  if (owners.length > 0) return owners
  const targets = (role: Link['role']) =>
    links
      .filter((link) => link.role === role && link.namespace !== undefined)
      .toSorted((a, b) => (a.resource.kind < b.resource.kind ? -1 : 1))
      .flatMap((link) => targetId(link) ?? [])
  const containers = item !== undefined && isConfig(item.resource) ? [] : targets('container')
  return containers.length > 0 ? containers : targets('access')
}

function isBelow(id: string, ancestor: string, homes: ReadonlyMap<string, string>): boolean {
  for (let at: string | undefined = id; at !== undefined; at = homes.get(at)) if (at === ancestor) return true
  return false
}

// A Secret that nobody of ours owns stands below the first that reads it.
function placeReadSecrets(entries: ReadonlyMap<string, Entry>, homes: Map<string, string>): void {
  for (const { id, links } of [...entries.values()].toSorted(byName)) {
    for (const link of links) {
      const target = link.role === 'secret' ? targetId(link) : undefined
      if (target !== undefined && entries.has(target) && !homes.has(target)) homes.set(target, id)
    }
  }
}

/** The way from a root to the node with this id, both included; empty when it is not there. */
export function pathTo(forest: readonly Node[], id: string): readonly Node[] {
  for (const node of forest) {
    if (node.id === id) return [node]
    const below = pathTo(node.children, id)
    if (below.length > 0) return [node, ...below]
  }
  return []
}

/** Every node of a forest, parents first. */
export function nodesOf(forest: readonly Node[]): readonly Node[] {
  return forest.flatMap((node) => [node, ...nodesOf(node.children)])
}
