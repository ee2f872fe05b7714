import { type Condition, type JsonObject, setCondition } from '@orrery/api'
import type { ResourceDefinition } from '../builtin/builtin.ts'
import { isList, isObject, type MutableObject, objectAt, objectsAt, textAt, textsAt } from '../registry/json-access.ts'

/** The names under which a CRD's resource is addressed. */
interface Names {
  readonly plural: string
  readonly singular: string
  readonly kind: string
  readonly listKind: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
}

interface TakenNames {
  /** Plurals, singulars and short names share one space. */
  readonly resources: ReadonlySet<string>
  readonly kinds: ReadonlySet<string>
}

interface NameConflict {
  readonly reason: string
  readonly name: string
}

/**
 * Decides which names a CRD gets and whether it is served, and writes that into its status. Conditions
 * follow Kubernetes: once established, a CRD stays so.
 */
export function settleNames(
  crd: MutableObject,
  others: Iterable<JsonObject>,
  builtins: readonly ResourceDefinition[],
  time: string,
): void {
  const spec = objectAt(crd, 'spec')
  const wanted = namesOf(objectAt(spec, 'names'))
  const status = objectAt(crd, 'status')
  const taken = takenNames(textAt(spec, 'group'), textAt(objectAt(crd, 'metadata'), 'name'), others, builtins)
  const conflict = findConflict(wanted, taken)
  const wasEstablished = isEstablished(crd)
  let conditions = conditionsOf(crd)
  conditions = setCondition(
    conditions,
    conflict === undefined
      ? condition('NamesAccepted', 'True', 'NoConflicts', 'no conflicts found')
      : condition('NamesAccepted', 'False', conflict.reason, `"${conflict.name}" is already in use`),
    time,
  )
  if (!wasEstablished) {
    conditions = setCondition(
      conditions,
      conflict === undefined
        ? condition('Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted')
        : condition('Established', 'False', 'NotAccepted', 'not all names are accepted'),
      time,
    )
  }
  crd['status'] = {
    ...status,
    conditions: plain(conditions),
    acceptedNames: acceptedNames(wanted, taken, objectAt(status, 'acceptedNames')),
    storedVersions: storedVersions(spec, textsAt(status, 'storedVersions')),
  }
}

function namesOf(names: JsonObject): Names {
  const kind = textAt(names, 'kind')
  return {
    plural: textAt(names, 'plural'),
    singular: textAt(names, 'singular') || kind.toLowerCase(),
    kind,
    listKind: textAt(names, 'listKind') || `${kind}List`,
    shortNames: textsAt(names, 'shortNames'),
    categories: textsAt(names, 'categories'),
  }
}

function takenNames(
  group: string,
  ownName: string,
  others: Iterable<JsonObject>,
  builtins: readonly ResourceDefinition[],
): TakenNames {
  const resources = new Set<string>()
  const kinds = new Set<string>()
  for (const { info } of builtins) {
    if (info.group !== group) continue
    for (const name of [info.plural, info.singular, ...(info.shortNames ?? [])]) resources.add(name)
    kinds.add(info.kind).add(`${info.kind}List`)
  }
  for (const other of others) {
    const spec = objectAt(other, 'spec')
    if (textAt(spec, 'group') !== group || textAt(objectAt(other, 'metadata'), 'name') === ownName) continue
    const accepted = objectAt(objectAt(other, 'status'), 'acceptedNames')
    for (const name of [textAt(accepted, 'plural'), textAt(accepted, 'singular'), ...textsAt(accepted, 'shortNames')]) {
      if (name !== '') resources.add(name)
    }
    for (const kind of [textAt(accepted, 'kind'), textAt(accepted, 'listKind')]) if (kind !== '') kinds.add(kind)
  }
  return { resources, kinds }
}

/** With several conflicts the last one is reported, as Kubernetes does. */
function findConflict(names: Names, { resources, kinds }: TakenNames): NameConflict | undefined {
  let found: NameConflict | undefined
  if (resources.has(names.plural)) found = { reason: 'PluralConflict', name: names.plural }
  if (resources.has(names.singular)) found = { reason: 'SingularConflict', name: names.singular }
  for (const name of names.shortNames) if (resources.has(name)) found = { reason: 'ShortNamesConflict', name }
  if (kinds.has(names.kind)) found = { reason: 'KindConflict', name: names.kind }
  if (kinds.has(names.listKind)) found = { reason: 'ListKindConflict', name: names.listKind }
  return found
}

/** Each name that is free is accepted by itself; for the others the earlier one stays. */
function acceptedNames(wanted: Names, { resources, kinds }: TakenNames, current: JsonObject): JsonObject {
  const pick = (name: string, taken: ReadonlySet<string>, key: string) =>
    taken.has(name) ? textAt(current, key) : name
  const shortNames = wanted.shortNames.some((name) => resources.has(name))
    ? textsAt(current, 'shortNames')
    : wanted.shortNames
  return {
    plural: pick(wanted.plural, resources, 'plural'),
    singular: pick(wanted.singular, resources, 'singular'),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    kind: pick(wanted.kind, kinds, 'kind'),
    listKind: pick(wanted.listKind, kinds, 'listKind'),
    ...(wanted.categories.length === 0 ? {} : { categories: wanted.categories }),
  }
}

function storedVersions(spec: JsonObject, known: readonly string[]): readonly string[] {
  const storage = objectsAt(spec, 'versions').find((version) => version['storage'] === true)
  const name = storage === undefined ? '' : textAt(storage, 'name')
  return name === '' || known.includes(name) ? known : [...known, name]
}

/** The status of one condition of a CRD: `True`, `False`, `Unknown`, or empty when it is absent. */
export function conditionStatus(crd: JsonObject, type: string): string {
  const found = conditionsOf(crd).find((candidate) => candidate.type === type)
  return found?.status ?? ''
}

/** Whether the resource of a CRD is served. */
export const isEstablished = (crd: JsonObject): boolean => conditionStatus(crd, 'Established') === 'True'

/** A CRD whose deletion has begun, with the condition that says so. */
export function markTerminating(crd: MutableObject, time: string): void {
  const conditions = setCondition(
    conditionsOf(crd),
    condition('Terminating', 'True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress'),
    time,
  )
  crd['status'] = { ...objectAt(crd, 'status'), conditions: plain(conditions) }
}

function condition(type: string, status: Condition['status'], reason: string, message: string) {
  return { type, status, reason, message }
}

function conditionsOf(crd: JsonObject): readonly Condition[] {
  const list = objectAt(crd, 'status')['conditions']
  if (!isList(list)) return []
  return list.filter(isObject).map((entry) => ({
    type: textAt(entry, 'type'),
    status: statusOf(textAt(entry, 'status')),
    reason: textAt(entry, 'reason'),
    message: textAt(entry, 'message'),
    lastTransitionTime: textAt(entry, 'lastTransitionTime'),
  }))
}

function statusOf(text: string): Condition['status'] {
  return text === 'True' || text === 'False' ? text : 'Unknown'
}

function plain(conditions: readonly Condition[]): JsonObject[] {
  return conditions.map(({ type, status, reason, message, lastTransitionTime }) => ({
    type,
    status,
    lastTransitionTime,
    reason,
    message,
  }))
}
