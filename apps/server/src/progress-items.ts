import type { Condition, Kind, KubeObject } from '@orrery/api'

/** What progress shows of each object, and in which order and depth: pure, so that it can be tested. */
export interface Item {
  readonly kind: string
  readonly name: string
  /** `Kind/name` of what it lives in or is reached through. */
  readonly parent: string | undefined
  readonly state: 'ready' | 'working' | 'failed'
  readonly text: string
}

export interface Line {
  readonly item: Item
  /** Branches of the tree, e.g. `│  └─ `. */
  readonly prefix: string
}

export function itemOf(kind: Kind, object: KubeObject): Item {
  return { kind: kind.kind, name: object.metadata.name, parent: parentOf(object), ...stateOf(object) }
}

function stateOf(object: KubeObject): Pick<Item, 'state' | 'text'> {
  if (object.metadata.deletionTimestamp !== undefined) return { state: 'working', text: 'being deleted' }
  const conditions = conditionsOf(object)
  const ready = conditions.find(({ type }) => type === 'Ready')
  if (ready?.status === 'True') return { state: 'ready', text: 'Ready' }
  const failed = conditions.find(({ type, status }) => type === 'Synced' && status === 'False')
  const shown = failed ?? ready
  if (shown === undefined) return { state: 'working', text: 'accepted' }
  const text = shown.message === '' ? shown.reason : `${shown.reason}: ${shown.message}`
  return { state: failed === undefined ? 'working' : 'failed', text }
}

// Managed objects hang below their ProviderConfig, and that below the instance it leads to.
function parentOf(object: KubeObject): string | undefined {
  const spec = field(object, 'spec')
  const instance = field(field(spec, 'instanceRef'), 'name')
  if (typeof instance === 'string') return `Instance/${instance}`
  const config = field(spec, 'providerConfigRef')
  const name = field(config, 'name')
  const kind = field(config, 'kind')
  return typeof name === 'string' ? `${typeof kind === 'string' ? kind : 'ProviderConfig'}/${name}` : undefined
}

/** Depth first; siblings by kind and name. What refers to itself or to nothing shown is a root. */
export function layout(items: readonly Item[]): readonly Line[] {
  const sorted = items.toSorted((a, b) => a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name))
  const ids = new Set(sorted.map(idOf))
  const isRoot = (item: Item) => item.parent === undefined || item.parent === idOf(item) || !ids.has(item.parent)
  const lines: Line[] = []
  const visit = (siblings: readonly Item[], indent: string): void => {
    for (const [index, item] of siblings.entries()) {
      const last = index === siblings.length - 1
      lines.push({ item, prefix: `${indent}${last ? '└─ ' : '├─ '}` })
      const children = sorted.filter((other) => other.parent === idOf(item) && !isRoot(other))
      visit(children, `${indent}${last ? '   ' : '│  '}`)
    }
  }
  visit(sorted.filter(isRoot), '')
  return lines
}

export const idOf = (item: Item): string => `${item.kind}/${item.name}`

function conditionsOf(object: KubeObject): readonly Condition[] {
  const conditions = field(field(object, 'status'), 'conditions')
  return Array.isArray(conditions) ? conditions : []
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined
}
