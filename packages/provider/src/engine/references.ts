import { equalJson, labelSelectorOf, matchesLabels } from '@orrery/api'
import type { ReferenceDefinition, ReferencedObject } from '../kind.ts'
import { referenceFields } from '../kinds.ts'
import type { ManagedObject } from '../managed.ts'
import { effectiveConnection } from './credentials.ts'
import type { EngineWorld, KindEntry } from './registry.ts'
import { referencedKindId } from './registry.ts'
import { nameOf, namesIn, USES, useId } from './uses.ts'

/** What the references of an object came to. Nothing here does I/O: everything is read from informers. */
export interface ResolvedReferences {
  /** `forProvider` with every reference field replaced by the value it stands for. */
  readonly desired: Readonly<Record<string, unknown>>
  /** For `status.references`. */
  readonly resolved: Readonly<Record<string, { readonly names: readonly string[]; readonly value: unknown }>>
  /** The first thing that is missing. */
  readonly waiting: string | undefined
}

interface Wanted {
  readonly names: readonly string[]
  readonly missing: string | undefined
}

/**
 * Resolves `<field>Ref(s)` and `<field>Selector`. A target must exist outside before its name is used.
 * What was resolved before stays in force while its target is away, so that an object that exists is
 * still observed and healed.
 */
export function resolveReferences(world: EngineWorld, entry: KindEntry, object: ManagedObject): ResolvedReferences {
  const desired: Record<string, unknown> = { ...object.spec.forProvider }
  const resolved: Record<string, { names: readonly string[]; value: unknown }> = {}
  let waiting: string | undefined
  for (const [field, reference] of Object.entries(entry.definition.references ?? {})) {
    const fields = referenceFields(field, reference)
    const before = object.status?.references?.[field]
    const wanted = wantedNames({ world, entry, object, reference, fields, before: before?.names ?? [] })
    delete desired[fields.ref]
    delete desired[fields.selector]
    if (wanted === undefined) continue
    const values = wanted.names.map((name) => valueOf(world, entry, { object, reference, name }))
    const missing = wanted.missing ?? values.map((value) => value.missing).find((text) => text !== undefined)
    if (missing === undefined) {
      const value = reference.list === true ? values.map((each) => each.value) : values[0]?.value
      resolved[field] = { names: wanted.names, value }
      desired[field] = value
    } else {
      waiting ??= missing
      if (before !== undefined && equalJson(before.names, wanted.names)) {
        resolved[field] = before
        desired[field] = before.value
      }
    }
  }
  return { desired, resolved, waiting }
}

function wantedNames(input: {
  readonly world: EngineWorld
  readonly entry: KindEntry
  readonly object: ManagedObject
  readonly reference: ReferenceDefinition
  readonly fields: { readonly ref: string; readonly selector: string }
  readonly before: readonly string[]
}): Wanted | undefined {
  const { object, reference, fields } = input
  const given = object.spec.forProvider[fields.ref]
  if (given !== undefined) {
    const refs = Array.isArray(given) ? given : [given]
    return { names: refs.map(nameOf), missing: undefined }
  }
  const labels = matchLabelsOf(object.spec.forProvider[fields.selector])
  if (labels === undefined) return undefined
  const target = input.world.kinds.get(referencedKindId(input.entry, reference.to))
  const selector = labelSelectorOf({ matchLabels: labels })
  const matching = (target?.informer.list(object.metadata.namespace) ?? [])
    .filter((candidate) => matchesLabels(selector, candidate.metadata.labels))
    .map((candidate) => candidate.metadata.name)
    .toSorted()
  if (reference.list === true) return { names: matching, missing: undefined }
  const sticky = input.before.find((name) => matching.includes(name)) ?? matching[0]
  if (sticky !== undefined) return { names: [sticky], missing: undefined }
  return { names: [], missing: `No ${reference.to} matches spec.forProvider.${fields.selector}.` }
}

function valueOf(
  world: EngineWorld,
  entry: KindEntry,
  at: { readonly object: ManagedObject; readonly reference: ReferenceDefinition; readonly name: string },
): { readonly value?: unknown; readonly missing?: string } {
  const target = world.kinds.get(referencedKindId(entry, at.reference.to))
  if (target === undefined) return { missing: `The kind ${at.reference.to} is not served by this manager.` }
  const found = target.informer.get({ namespace: at.object.metadata.namespace ?? '', name: at.name })
  if (found === undefined) return { missing: `${at.reference.to} ${at.name} does not exist.` }
  const exists = found.status?.external !== undefined || isObserved(found)
  if (!exists) return { missing: `${at.reference.to} ${at.name} is not created yet.` }
  const referenced = referencedObject(world, target, found)
  const value = at.reference.value === undefined ? referenced.externalName : at.reference.value(referenced)
  return value === undefined ? { missing: `${at.reference.to} ${at.name} does not have the value yet.` } : { value }
}

// Observe-only objects have no ownership record, but were seen.
function isObserved(object: ManagedObject): boolean {
  return (
    object.status?.atProvider !== undefined &&
    object.status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true
  )
}

export function referencedObject(world: EngineWorld, entry: KindEntry, object: ManagedObject): ReferencedObject {
  const { metadata, status, spec } = object
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    externalName: status?.external?.name ?? metadata.annotations?.['orrery.dev/external-name'] ?? metadata.name,
    forProvider: spec.forProvider,
    atProvider: status?.atProvider,
    connection: effectiveConnection(world, entry, object),
  }
}

/** Finds the object behind a single reference field, for connection Secrets. */
export function relatedObject(
  world: EngineWorld,
  entry: KindEntry,
  object: ManagedObject,
  field: string,
): ReferencedObject | undefined {
  const reference = entry.definition.references?.[field]
  const name = object.status?.references?.[field]?.names[0]
  if (reference === undefined || name === undefined) return undefined
  const target = world.kinds.get(referencedKindId(entry, reference.to))
  const found = target?.informer.get({ namespace: object.metadata.namespace ?? '', name })
  return target === undefined || found === undefined ? undefined : referencedObject(world, target, found)
}

/** Objects that are being deleted, refer to this one, and must go first. */
export function terminatingDependents(world: EngineWorld, entry: KindEntry, object: ManagedObject): readonly string[] {
  const id = useId({ kind: entry.id, namespace: object.metadata.namespace ?? '', name: object.metadata.name })
  return [...world.kinds.values()].flatMap((other) =>
    other.informer
      .byIndex(USES, id)
      .filter((user) => user.metadata.deletionTimestamp !== undefined && user.metadata.uid !== object.metadata.uid)
      .filter((user) => goesFirst(other, entry, user, object.metadata.name))
      .map((user) => `${other.kind.kind} ${user.metadata.name}`),
  )
}

function goesFirst(user: KindEntry, target: KindEntry, object: ManagedObject, name: string): boolean {
  return Object.entries(user.definition.references ?? {}).some(
    ([field, reference]) =>
      reference.deleteBeforeTarget !== false &&
      referencedKindId(user, reference.to) === target.id &&
      namesIn(object, field, reference).includes(name),
  )
}

function matchLabelsOf(selector: unknown): Readonly<Record<string, string>> | undefined {
  if (!isRecord(selector) || !isRecord(selector['matchLabels'])) return undefined
  const labels: Record<string, string> = {}
  for (const [key, value] of Object.entries(selector['matchLabels'])) {
    if (typeof value === 'string') labels[key] = value
  }
  return labels
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
