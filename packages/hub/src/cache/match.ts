import { matchesLabels } from '@orrery/api'
import type { IndexRecord, Match } from './cache.ts'

/** Whether an object is selected. */
export type Predicate = (index: IndexRecord) => boolean

/** Compiles a match. The namespace and the name are checked too, so that it can be used alone. */
export function compileMatch({ namespace, name, labels, fields }: Match): Predicate {
  const selector = labels === undefined || labels.length === 0 ? undefined : labels
  const requirements = fields === undefined || fields.length === 0 ? undefined : fields
  return (index) =>
    (namespace === undefined || index.namespace === namespace) &&
    (name === undefined || index.name === name) &&
    (selector === undefined || matchesLabels(selector, index.labels)) &&
    (requirements === undefined ||
      requirements.every(({ path, operator, value }) => (fieldOf(index, path) === value) === (operator === '=')))
}

/** Fields that an object lacks are empty, as in Kubernetes. */
function fieldOf(index: IndexRecord, path: string): string {
  if (path === 'metadata.name') return index.name
  if (path === 'metadata.namespace') return index.namespace
  return index.fields?.[path] ?? ''
}

/** Whether more than the key decides. */
export function hasSelectors({ labels, fields }: Match): boolean {
  return (labels?.length ?? 0) > 0 || (fields?.length ?? 0) > 0
}

/** Equal matches have equal keys: their watchers share one evaluation. */
export function matchKey({ namespace, name, labels, fields }: Match): string {
  return JSON.stringify([namespace, name, labels ?? [], fields ?? []])
}

/** The narrowest prefix of keys that can match. */
export function keyRange(prefix: string, { namespace }: Match): string {
  return namespace === undefined ? prefix : `${prefix}${namespace}/`
}
