import type { ConfigMap } from '@orrery/api'
import type { ManagedObject } from '@orrery/provider'
import { annotations } from '@orrery/provider'
import type { FakeSystem, FakeThing } from '../fake-system.ts'
import type { Happened } from './managed-users.ts'
import { OBSERVE, ORPHAN } from './managed-users.ts'

/** What was on its way when its kind was deleted arrives within this. */
const LATE_MS = 60_000

/** What must be true of the outside, given the objects that live, once everything has healed. */
export interface Ending {
  readonly objects: readonly ManagedObject[]
  readonly system: FakeSystem
  readonly happened: Happened
}

/** Why an object has not come to rest; undefined: it has. */
export function unrest(object: ManagedObject, ending: Ending): string | undefined {
  const { name, deletionTimestamp } = object.metadata
  if (deletionTimestamp !== undefined) return `${name} is still being deleted: ${reasonOf(object, 'Ready')}`
  const ready = object.status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready === undefined) return `${name} has not been looked at`
  if (name.endsWith(OBSERVE)) return undefined
  switch (ready.reason) {
    case 'Available':
      return unlike(object, ending)
    case 'AlreadyExists':
      return isTaken(object, ending) ? undefined : `${name} is refused a name that is free`
    case 'ExternalMissing':
      return object.kind === 'Bucket' && thingsOf(object, ending).length === 0
        ? undefined
        : `${name} is reported missing, and is not`
    case 'Waiting':
      return object.kind === 'Login' && hasGap(object, ending) ? undefined : `${name} waits: ${ready.message}`
    default:
      return `${name} is not ready: ${ready.reason} ${ready.message}`
  }
}

/** Violations of what must hold at the end. */
export function breaches(ending: Ending, claims: readonly ConfigMap[]): readonly string[] {
  return [...strays(ending), ...foreignTouched(ending), ...orphanedClaims(ending, claims), ...excess(ending)]
}

function unlike(object: ManagedObject, ending: Ending): string | undefined {
  const { name } = object.metadata
  const things = thingsOf(object, ending)
  const [thing] = things
  if (thing === undefined) return `${name} is called ready, and does not exist`
  if (['ReplaceRefused', 'ManagementPolicy'].includes(reasonOf(object, 'UpToDate'))) return undefined
  const { size, region } = object.spec.forProvider
  const isLike = thing.fields.size === size && (region === undefined || thing.fields.region === region)
  return isLike ? undefined : `${name} differs from what exists: ${JSON.stringify(thing.fields)}`
}

/** Living things made in the name of an object. */
function thingsOf(object: ManagedObject, { system }: Ending): readonly FakeThing[] {
  return system.things(object.kind).filter((thing) => thing.owner === object.metadata.uid)
}

function isTaken(object: ManagedObject, { objects, system }: Ending): boolean {
  const external = externalNameOf(object)
  const isOther = (other: ManagedObject) =>
    other.kind === object.kind && other.metadata.uid !== object.metadata.uid && externalNameOf(other) === external
  const exists = system
    .things(object.kind)
    .some((thing) => thing.name === external && thing.owner !== object.metadata.uid)
  return exists || objects.some(isOther)
}

/** Whether something that a login refers to is not there, or not ours to refer to. */
function hasGap(object: ManagedObject, { objects }: Ending): boolean {
  const { namespace } = object.metadata
  const exists = ({ status }: ManagedObject) => status?.external !== undefined
  const local = objects.filter(({ metadata }) => metadata.namespace === namespace)
  const topic = local.find(({ kind, metadata }) => kind === 'Topic' && metadata.name === `${namespace}-topic-0`)
  return topic === undefined || !exists(topic) || local.some((each) => each.kind === 'Bucket' && !exists(each))
}

const externalNameOf = ({ metadata }: ManagedObject) =>
  metadata.annotations?.[annotations.externalName] ?? metadata.name

const reasonOf = (object: ManagedObject, type: string) =>
  object.status?.conditions?.find((condition) => condition.type === type)?.reason ?? ''

/** Exactly one thing per living object, none of those that are gone. */
function strays({ objects, system, happened }: Ending): readonly string[] {
  const living = new Map(objects.map((object) => [object.metadata.uid ?? '', object]))
  const owned = Map.groupBy(
    system.things().filter((thing) => thing.owner !== undefined),
    (thing) => thing.owner ?? '',
  )
  return [...owned].flatMap(([owner, things]) => {
    const object = living.get(owner)
    if (object !== undefined) {
      return things.length === 1 ? [] : [`${object.metadata.name} has ${things.map(({ id }) => id).join(' and ')}`]
    }
    return things
      .filter((thing) => !isExcused(thing, { system, happened }))
      .map((thing) => `${thing.id} (${thing.name}) outlived its object`)
  })
}

/** Left alone on purpose: the policy said so, or its kind was deleted while it existed. */
function isExcused(thing: FakeThing, { system, happened }: Pick<Ending, 'system' | 'happened'>): boolean {
  if (thing.name.endsWith(ORPHAN) || thing.name.startsWith('shared-')) return true
  const deletedAtMono = happened.kindDeletedAtMono.get(thing.kind)
  const made = system.ledger.find(({ id, effect }) => id === thing.id && effect === 'create')
  return deletedAtMono !== undefined && made !== undefined && made.atMono <= deletedAtMono + LATE_MS
}

function foreignTouched({ system, happened }: Ending): readonly string[] {
  const existing = new Set(system.things())
  return [...happened.foreign]
    .filter(([thing, fields]) => !existing.has(thing) || JSON.stringify(thing.fields) !== fields || thing.mark !== null)
    .map(([thing]) => `${thing.name} is not ours and was touched`)
}

/**
 * A process that was asleep may leave a claim behind for an object that has gone meanwhile; whoever wants the
 * name next takes it over. More of them than such moments are a leak.
 */
function orphanedClaims({ objects, happened }: Ending, claims: readonly ConfigMap[]): readonly string[] {
  const living = new Set(objects.map(({ metadata }) => metadata.uid))
  const stale = claims.filter((claim) => !living.has(claim.data?.['uid']))
  if (stale.length <= happened.sleeps) return []
  return stale.map((claim) => `the claim of ${claim.data?.['kind']} ${claim.data?.['name']} outlived it`)
}

/** Mutations that nothing asked for: each disturbance may cause a few, each object a few more. */
function excess({ system, happened }: Ending): readonly string[] {
  const requested = system.ledger.filter(({ by }) => by === 'request')
  const owners = new Set(requested.map(({ owner }) => owner))
  const bound = 20 * (happened.disturbances + owners.size) + 50
  return requested.length <= bound ? [] : [`${requested.length} mutations outside, at most ${bound} were due`]
}
