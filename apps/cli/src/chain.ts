import type { Assessment } from './assess.ts'
import { assess } from './assess.ts'
import type { Item } from './item.ts'
import type { Found, Lookup } from './lookup.ts'
import type { Catalogue, Link } from './relations.ts'
import { idOf, itemId, linksOf, writtenSecret } from './relations.ts'

/** The way from an object that is not ready to what it really waits for. */

/** One object on the way. */
export interface Step {
  /** How the step before leads here; empty for the first. */
  readonly through: string
  readonly link: Link | undefined
  readonly found: Found
  /** Present when the object is. */
  readonly assessment: Assessment | undefined
}

/** How a step is reached that no field of the one before leads to. */
export const IS_USER = 'its user'
export const IS_WRITER = 'its writer'

/** Longer ways do not occur among managed resources; a limit against data gone mad. */
export const MAX_STEPS = 16

/** States in which others can use an object, whatever is wrong with it. */
const USABLE: ReadonlySet<string> = new Set(['ready', 'drifted', 'held', 'paused'])
/** States whose cause is the object's own. */
const OWN: ReadonlySet<string> = new Set(['lost', 'unknown', 'denied', 'paused', 'held', 'drifted', 'ready', 'pending'])

/** Follows an object's needs to the root cause; the last step is it. Never visits an object twice. */
export async function traceCause(item: Item, lookup: Lookup, catalogue: Catalogue): Promise<readonly Step[]> {
  const steps: Step[] = [{ through: '', link: undefined, found: { state: 'present', item }, assessment: assess(item) }]
  const visited = new Set([idOf(item)])
  while (steps.length < MAX_STEPS) {
    const last = steps.at(-1)
    const next = last === undefined ? undefined : await nextStep(last, { lookup, catalogue, visited })
    if (next === undefined) break
    steps.push(next)
    visited.add(stepId(next))
  }
  return steps
}

interface Search {
  readonly lookup: Lookup
  readonly catalogue: Catalogue
  readonly visited: ReadonlySet<string>
}

function stepId(step: Step): string {
  if (step.found.state === 'present') return idOf(step.found.item)
  const { link } = step
  return link === undefined ? '' : itemId({ resource: link.resource, namespace: link.namespace, name: link.name ?? '' })
}

async function nextStep(step: Step, search: Search): Promise<Step | undefined> {
  if (step.found.state === 'absent') return await writerOf(step, search)
  if (step.found.state !== 'present' || step.assessment === undefined) return undefined
  const { item } = step.found
  const { state } = step.assessment
  if (state === 'deleting') return (await blockingUser(item, search)) ?? (await blockingNeed(step, item, search))
  return OWN.has(state) ? undefined : await blockingNeed(step, item, search)
}

/** The first need that is not met; what the object's own message names comes before others. */
async function blockingNeed(step: Step, item: Item, search: Search): Promise<Step | undefined> {
  const { message = '', state } = step.assessment ?? {}
  const links = linksOf(item, search.catalogue)
  const named = (link: Link) =>
    link.name !== undefined && message.includes(`${link.resource.kind} ${link.name} `) ? 0 : 1
  for (const link of links.toSorted((a, b) => named(a) - named(b))) {
    const candidate = await follow(link, search)
    if (candidate === undefined || search.visited.has(stepId(candidate))) continue
    // A failed call says itself what failed. What it refers to is behind it only when that is not there.
    const isWay = link.role === 'access' || link.role === 'secret'
    if (state !== 'failed' || isWay || isGone(candidate)) return candidate
  }
  return undefined
}

function isGone({ found, assessment }: Step): boolean {
  return found.state === 'absent' || assessment?.state === 'lost' || assessment?.state === 'deleting'
}

async function follow(link: Link, { lookup }: Search): Promise<Step | undefined> {
  const { name, namespace, field: through } = link
  if (name === undefined) return { through, link, found: { state: 'absent' }, assessment: undefined }
  const found = await lookup.find(link.resource, namespace === undefined ? { name } : { namespace, name })
  if (found.state !== 'present') return { through, link, found, assessment: undefined }
  const assessment = assess(found.item)
  return USABLE.has(assessment.state) ? undefined : { through, link, found, assessment }
}

/** A Secret that is missing and that another object would write. */
async function writerOf({ link }: Step, search: Search): Promise<Step | undefined> {
  if (link === undefined || link.role !== 'secret' || link.name === undefined) return undefined
  const { items } = await search.lookup.list(search.catalogue.resources.managed, link.namespace)
  const writer = items.find((item) => writtenSecret(item) === link.name && item.key.namespace === link.namespace)
  if (writer === undefined || search.visited.has(idOf(writer))) return undefined
  return {
    through: IS_WRITER,
    link: undefined,
    found: { state: 'present', item: writer },
    assessment: assess(writer),
  }
}

/**
 * Somebody who still needs what is being deleted; one who is not going himself comes first. A namespace needs to be
 * empty.
 */
async function blockingUser(item: Item, search: Search): Promise<Step | undefined> {
  const { resource, key } = item
  const isNamespace = resource.group === '' && resource.kind === 'Namespace'
  const namespace = isNamespace ? key.name : key.namespace
  const { items } = await search.lookup.list(search.catalogue.resources.managed, namespace)
  const id = idOf(item)
  const isUser = (user: Item) => (isNamespace ? user.key.namespace === key.name : uses(user, id, search.catalogue))
  const users = items.filter((user) => !search.visited.has(idOf(user)) && isUser(user))
  const user = users.find(({ deletingSinceMs }) => deletingSinceMs === undefined) ?? users[0]
  if (user === undefined) return undefined
  return { through: IS_USER, link: undefined, found: { state: 'present', item: user }, assessment: assess(user) }
}

const uses = (user: Item, id: string, catalogue: Catalogue): boolean =>
  linksOf(user, catalogue).some(
    ({ resource, namespace, name }) => name !== undefined && itemId({ resource, namespace, name }) === id,
  )
