import { leases } from '@orrery/api'
import type { Assessment } from '../assess.ts'
import { assess } from '../assess.ts'
import type { Step } from '../chain.ts'
import { IS_USER, traceCause } from '../chain.ts'
import type { CommonOptions, Session } from '../command.ts'
import { differenceCode, loadCatalogue, machineFormat, parseTarget, withSession } from '../command.ts'
import { writeDocument } from '../document.ts'
import type { ExitCode } from '../exit-codes.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Item } from '../item.ts'
import type { ObjectEvent } from '../lookup.ts'
import { judgeLease, MANAGER_LEASE } from '../manager-lease.ts'
import { CliError } from '../problem.ts'
import type { Remedy } from '../remedy.ts'
import { remedyFor } from '../remedy.ts'
import { displayKind, resolveResource } from '../resources.ts'
import type { Shell } from '../shell.ts'
import { cut, formatClock, formatDuration, oneLine, painter } from '../text.ts'
import { colourOf, describe } from './status.ts'

export interface WhyOptions extends CommonOptions {
  readonly verbose?: boolean
  readonly exitZero?: boolean
}

/** Everything `why` has to say. */
interface Answer {
  readonly item: Item
  readonly assessment: Assessment
  /** From the object to the root cause. */
  readonly steps: readonly Step[]
  readonly because: string
  readonly sinceMs: number | undefined
  readonly change: Change | undefined
  readonly remedy: Remedy
  /** Of the object and of the root cause, oldest first. */
  readonly events: readonly ObjectEvent[]
}

interface Change {
  readonly timeMs: number
  readonly text: string
}

/** Events that `-v` shows. */
const MAX_EVENTS_SHOWN = 10
/** A longer message is cut, but for `-v`. */
const MAX_MESSAGE = 400

/** `orrery why KIND/NAME`: what it waits for, because of what, since when, and what to do. */
export async function why(shell: Shell, words: readonly string[], options: WhyOptions): Promise<ExitCode> {
  const target = parseTarget(words, shell)
  return await withSession(shell, options, async (session) => {
    const resource = resolveResource(session.resources, target.kind, shell)
    const { namespace } = session
    const key = resource.namespaced ? { namespace, name: target.name } : { name: target.name }
    const found = await session.lookup.find(resource, key)
    if (found.state !== 'present')
      throw notFound(session, {
        object: `${displayKind(session.resources, resource)}/${target.name}`,
        found: found.state === 'absent' ? undefined : found.message,
        namespace: key.namespace,
      })
    const answer = await explain(session, found.item)
    const format = machineFormat(options)
    if (format === undefined) shell.out.write(formatAnswer(session, answer, options.verbose === true))
    else writeDocument(shell.out, format, documentOf(session, answer))
    if (answer.steps.at(-1)?.assessment?.state === 'denied') return exitCodes.denied
    return differenceCode(answer.assessment.state === 'ready', options)
  })
}

function notFound(
  { shell }: Session,
  of: { readonly object: string; readonly found: string | undefined; readonly namespace: string | undefined },
): CliError {
  const where = of.namespace === undefined ? '' : ` in namespace ${of.namespace}`
  const kind = of.object.slice(0, of.object.lastIndexOf('/'))
  const message = of.found ?? `${of.object} does not exist${where}.`
  return new CliError(message, {
    code: of.found === undefined ? 'NotFound' : 'Unreadable',
    object: of.object,
    next: `${shell.program} status --kind ${kind}`,
  })
}

async function explain(session: Session, item: Item): Promise<Answer> {
  const { lookup, shell } = session
  const catalogue = await loadCatalogue(session)
  const steps = await traceCause(item, lookup, catalogue)
  const present = steps.flatMap(({ found }) => (found.state === 'present' ? [found.item] : []))
  const root = present.at(-1) ?? item
  const assessment = assess(item)
  const rootAssessment = assess(root)
  const events = (await Promise.all([...new Set([item, root])].map((each) => lookup.eventsOf(each)))).flat()
  const last = steps.at(-1)
  const missing = last === undefined || last.found.state === 'present' ? undefined : last
  const context = {
    object: nameOf(session, root),
    namespace: root.key.namespace,
    program: shell.program,
  }
  const own = isStaying(last, rootAssessment)
    ? {
        who: 'you',
        next: `${shell.program} tree ${nameOf(session, item)}${inNamespace(item)}   (shows all that is in it)`,
      }
    : remedyFor(root, rootAssessment, context)
  const idle = rootAssessment.state === 'pending' && missing === undefined ? await managerProblem(session) : undefined
  return {
    item,
    assessment,
    steps,
    because: missing === undefined ? (idle ?? reasonOf(session, last, rootAssessment)) : absenceOf(session, missing),
    sinceMs: missing === undefined ? rootAssessment.sinceMs : rootAssessment.sinceMs,
    change: lastChange(session, { items: present, events, known: rootAssessment.message }),
    remedy: missing === undefined ? own : { who: 'you', next: creation(session, missing) },
    events: events.toSorted((a, b) => a.timeMs - b.timeMs),
  }
}

const inNamespace = ({ key }: Item) => (key.namespace === undefined ? '' : ` -n ${key.namespace}`)

const nameOf = ({ resources }: Session, { resource, key }: Item) => `${displayKind(resources, resource)}/${key.name}`

/** Somebody needs what is being deleted, and is not going himself. */
const isStaying = (last: Step | undefined, { state }: Assessment) => last?.through === IS_USER && state !== 'deleting'

function reasonOf(session: Session, last: Step | undefined, assessment: Assessment): string {
  const { reason, message } = assessment
  if (last?.found.state === 'present' && isStaying(last, assessment))
    return `${nameOf(session, last.found.item)} needs it, and is not being deleted`
  return message === '' || message === reason ? reason || 'all is well with it' : `${reason}: ${message}`
}

function absenceOf({ resources }: Session, { found, link, through }: Step): string {
  if (found.state === 'unreadable') return `it cannot be read: ${found.message}`
  if (link === undefined) return 'it does not exist'
  if (link.name === undefined) return `no ${displayKind(resources, link.resource)} matches ${through}`
  return `${displayKind(resources, link.resource)}/${link.name} does not exist, which ${through} names`
}

function creation({ resources }: Session, { link }: Step): string {
  if (link === undefined) return 'kubectl apply -f FILE'
  const at = link.namespace === undefined ? '' : ` -n ${link.namespace}`
  const kind = displayKind(resources, link.resource)
  if (kind === 'secret') return `kubectl create secret generic ${link.name ?? 'NAME'}${at} --from-literal=KEY=VALUE`
  return link.name === undefined
    ? `kubectl get ${link.resource.plural} --show-labels${at}`
    : `kubectl apply -f FILE   (with ${link.resource.kind} ${link.name}${at})`
}

/** What keeps an object from being taken up at all, when nobody is there to do it. */
async function managerProblem({ connection, shell }: Session): Promise<string | undefined> {
  const lease = await connection.client.find(leases, MANAGER_LEASE, { signal: shell.signal })
  const judged = judgeLease(lease, shell.clock.now() + (connection.clockOffsetMs() ?? 0))
  return judged.isAlive ? undefined : judged.message
}

function lastChange(
  session: Session,
  seen: { readonly items: readonly Item[]; readonly events: readonly ObjectEvent[]; readonly known: string },
): Change | undefined {
  const specs = seen.items.flatMap((item): readonly Change[] =>
    item.lastChange === undefined
      ? []
      : [{ timeMs: item.lastChange.timeMs, text: `spec of ${nameOf(session, item)} by ${item.lastChange.by}` }],
  )
  const deletions = seen.items.flatMap((item): readonly Change[] =>
    item.deletingSinceMs === undefined
      ? []
      : [{ timeMs: item.deletingSinceMs, text: `deletion of ${nameOf(session, item)} was asked for` }],
  )
  // What says the same as the cause tells nothing new.
  const news = seen.events.filter(({ message }) => message !== seen.known)
  const said = news.map(({ timeMs, reason, message, count }): Change => {
    return { timeMs, text: `${reason}: ${message}${count > 1 ? ` (${count} times)` : ''}` }
  })
  return [...specs, ...deletions, ...said].toSorted((a, b) => b.timeMs - a.timeMs)[0]
}

function formatAnswer(session: Session, answer: Answer, verbose: boolean): string {
  const { shell } = session
  const { item, assessment, remedy, change } = answer
  const paint = painter(shell, shell.out)
  const now = shell.clock.now()
  const clock = (ms: number) => formatClock(ms, now)
  const line = (label: string, text: string) =>
    `  ${paint('dim', label.padEnd(8))}  ${verbose ? oneLine(text) : cut(oneLine(text), MAX_MESSAGE)}`
  const where = item.key.namespace === undefined ? '' : ` (${item.key.namespace})`
  const since = assessment.sinceMs === undefined ? '' : ` for ${formatDuration(now - assessment.sinceMs)}`
  const title = `${item.resource.kind} ${item.key.name}${where}  ${paint(colourOf(assessment.state), headline(assessment))}${since}`
  const isWell = assessment.state === 'ready'
  const waits = waitsOn(session, answer.steps)
  const rootSince = answer.sinceMs === undefined ? '' : `   since ${clock(answer.sinceMs)}`
  const lines = [
    title,
    ...(waits === undefined ? [] : [line('waits on', waits)]),
    ...(isWell
      ? []
      : [line('because', `${cut(oneLine(answer.because), verbose ? undefined : MAX_MESSAGE)}${rootSince}`)]),
    ...(change === undefined ? [] : [line('changed', `${clock(change.timeMs)} ${change.text}`)]),
    ...(isWell ? [] : [line('who', `${remedy.who}   next:  ${remedy.next}`)]),
    ...(verbose ? details(answer, { line, clock }) : []),
  ]
  return `${lines.join('\n')}\n`
}

function headline({ state, isReady }: Assessment): string {
  if (state === 'ready') return 'READY'
  return isReady ? `READY, ${state.toUpperCase()}` : `NOT READY, ${state.toUpperCase()}`
}

function waitsOn(session: Session, steps: readonly Step[]): string | undefined {
  if (steps.length < 2) return undefined
  return steps
    .slice(1)
    .map(({ found, link, through }) => {
      const name =
        found.state === 'present'
          ? nameOf(session, found.item)
          : `${link === undefined ? 'object' : displayKind(session.resources, link.resource)}/${link?.name ?? '?'}`
      return through.startsWith('spec.') ? name : `${through} ${name}`
    })
    .join(' → ')
}

function details(
  answer: Answer,
  format: { readonly line: (label: string, text: string) => string; readonly clock: (ms: number) => string },
): readonly string[] {
  const { item, events } = answer
  const { line, clock } = format
  return [
    ...item.conditions.map(({ type, status, reason, message }) => line(type, `${status} ${reason} ${message}`)),
    ...item.drift.map(({ path, desired, actual, since }) =>
      line('drift', `${path}: want ${desired}, is ${actual}, since ${since}`),
    ),
    ...(item.plan === undefined
      ? []
      : [line('plan', `${item.plan.action}: ${item.plan.reason}: ${item.plan.message}`)]),
    ...(item.attempt === undefined ? [] : [line('attempt', `${item.attempt.effect} ${item.attempt.id}`)]),
    ...(item.external === undefined ? [] : [line('external', `${item.external.name} (${item.external.ownership})`)]),
    ...events
      .slice(-MAX_EVENTS_SHOWN)
      .map(({ timeMs, reason, message }) => line('event', `${clock(timeMs)} ${reason}: ${message}`)),
  ]
}

function documentOf(session: Session, answer: Answer) {
  const { item, assessment, steps, because, sinceMs, change, remedy, events } = answer
  const time = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString())
  return {
    kind: 'Why',
    object: describe(session, { item, assessment }),
    chain: steps.map(({ through, found, link, assessment: judged }) =>
      found.state === 'present' && judged !== undefined
        ? { through, found: found.state, ...describe(session, { item: found.item, assessment: judged }) }
        : {
            through,
            found: found.state,
            object:
              link === undefined ? undefined : `${displayKind(session.resources, link.resource)}/${link.name ?? ''}`,
            namespace: link?.namespace,
          },
    ),
    because: assessment.state === 'ready' ? undefined : because,
    since: time(sinceMs),
    changed: change === undefined ? undefined : { time: time(change.timeMs), text: change.text },
    who: remedy.who,
    next: remedy.next,
    events: events.map(({ timeMs, type, reason, message, count }) => ({
      time: time(timeMs),
      type,
      reason,
      message,
      count,
    })),
  }
}
