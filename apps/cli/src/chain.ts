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
  // A failed call says what failed. Only the way to the system can be behind it, not what the spec refers to.
  const links = linksOf(item, search.catalogue).filter(
    (link) => state === 'waiting' || (link.role !== 'reference' && link.role !== 'container'),
  )
  const named = (link: Link) =>
    link.name !== undefined && message.includes(`${link.resource.kind} ${link.name} `) ? 0 : 1
  for (const link of links.toSorted((a, b) => named(a) - named(b))) {
    const candidate = await follow(link, search)
    if (candidate !== undefined && !search.visited.has(stepId(candidate))) return candidate
  }
  return undefined
}

async function follow(link: Link, { lookup }: Search): Promise<Step | undefined> {
  const { name, namespace, field: through } = link
  if (name === undefined) return { through, link, found: { state: 'absent' }, assessment: undefined }
  const found = await lookup.find(link.resource, namespace === undefined ? { name } : { namespace, name })
  if (found.state !== 'present') return { through, link, found, assessment: undefined }
  // What has no conditions, such as a Secret, is usable when it is there.
  const isPlain = link.role === 'secret'
  const assessment = assess(found.item)
  if (isPlain || USABLE.has(assessment.state)) return undefined
  return { through, link, found, assessment }
}

/** A Secret that is missing and that another object would write. */
async function writerOf({ link }: Step, search: Search): Promise<Step | undefined> {
  if (link === undefined || link.role !== 'secret' || link.name === undefined) return undefined
  const { items } = await search.lookup.list(search.catalogue.resources.managed, link.namespace)
  const writer = items.find((item) => writtenSecret(item) === link.name && item.key.namespace === link.namespace)
  if (writer === undefined || search.visited.has(idOf(writer))) return undefined
  return {
    through: 'written by',
    link: undefined,
    found: { state: 'present', item: writer },
    assessment: assess(writer),
  }
}

/** Somebody who still needs what is being deleted; one who is not going himself comes first. */
async function blockingUser(item: Item, search: Search): Promise<Step | undefined> {
  const { items } = await search.lookup.list(search.catalogue.resources.managed, item.key.namespace)
  const id = idOf(item)
  const users = items.filter((user) => !search.visited.has(idOf(user)) && uses(user, id, search.catalogue))
  const user = users.find(({ deletingSinceMs }) => deletingSinceMs === undefined) ?? users[0]
  if (user === undefined) return undefined
  return { through: 'used by', link: undefined, found: { state: 'present', item: user }, assessment: assess(user) }
}

const uses = (user: Item, id: string, catalogue: Catalogue): boolean =>
  linksOf(user, catalogue).some(
    ({ resource, namespace, name }) => name !== undefined && itemId({ resource, namespace, name }) === id,
  )
