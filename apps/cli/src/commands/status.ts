import type { Assessment, State } from '../assess.ts'
import { assess, rankOf, states } from '../assess.ts'
import type { CommonOptions, Session } from '../command.ts'
import { differenceCode, machineFormat, requireReadable, withSession } from '../command.ts'
import { writeDocument } from '../document.ts'
import type { ExitCode } from '../exit-codes.ts'
import { fieldsOf, textOf } from '../fields.ts'
import type { Item } from '../item.ts'
import type { Unreadable } from '../lookup.ts'
import { displayKind, resolveResource } from '../resources.ts'
import type { Shell } from '../shell.ts'
import type { Cell, Colour } from '../text.ts'
import { count, cut, formatDuration, formatTable, oneLine, painter } from '../text.ts'

export interface StatusOptions extends CommonOptions {
  readonly allNamespaces?: boolean
  /** Kinds to show; all when empty. */
  readonly kind?: readonly string[]
  readonly exitZero?: boolean
}

interface Row {
  readonly item: Item
  readonly assessment: Assessment
}

/** `orrery status`: everything managed over all kinds, trouble first. */
export async function status(shell: Shell, options: StatusOptions): Promise<ExitCode> {
  return await withSession(shell, options, async (session) => {
    const wanted = (options.kind ?? []).map((word) => resolveResource(session.resources, word, shell))
    const kinds = wanted.length === 0 ? session.resources.managed : wanted
    const namespace = options.allNamespaces === true ? undefined : options.namespace
    const { items, unreadable } = await session.lookup.list(kinds, namespace)
    requireReadable(session, { wanted: kinds.length, unreadable, namespace })
    const rows = items.map((item): Row => ({ item, assessment: assess(item) })).toSorted(byTrouble)
    const format = machineFormat(options)
    if (format === undefined) {
      shell.out.write(formatRows(session, rows, options))
      for (const line of notices(session, { rows, unreadable, namespace })) shell.err.write(`${line}\n`)
    } else {
      writeDocument(shell.out, format, {
        kind: 'Status',
        objects: rows.map((row) => describe(session, row)),
        summary: summaryOf(rows),
        unreadable: unreadable.map(({ resource, message }) => ({
          kind: displayKind(session.resources, resource),
          message,
        })),
      })
    }
    return differenceCode(
      rows.every(({ assessment }) => assessment.state === 'ready'),
      options,
      unreadable,
    )
  })
}

function byTrouble(a: Row, b: Row): number {
  return (
    rankOf(a.assessment.state) - rankOf(b.assessment.state) ||
    compare(a.item.key.namespace ?? '', b.item.key.namespace ?? '') ||
    compare(a.item.resource.kind, b.item.resource.kind) ||
    compare(a.item.key.name, b.item.key.name)
  )
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** The colour that goes with a state. */
export function colourOf(state: State): Colour {
  if (state === 'ready') return 'green'
  return rankOf(state) <= rankOf('denied') ? 'red' : 'yellow'
}

function formatRows(session: Session, rows: readonly Row[], options: StatusOptions): string {
  if (rows.length === 0) return ''
  const { shell } = session
  const isWide = options.output === 'wide'
  const head = [
    'NAMESPACE',
    'OBJECT',
    'STATE',
    'READY',
    'SYNCED',
    'FOR',
    ...(isWide ? ['EXTERNAL-NAME', 'CONFIG', 'AGE'] : []),
    'MESSAGE',
  ]
  return formatTable([head, ...rows.map((row) => cellsOf(session, row, isWide))], {
    paint: painter(shell, shell.out),
    columns: isWide ? undefined : shell.out.columns,
  })
}

function cellsOf(
  { shell, resources }: Session,
  { item, assessment }: Row,
  isWide: boolean,
): readonly (string | Cell)[] {
  const now = shell.clock.now()
  const since = (ms: number | undefined) => (ms === undefined ? '-' : formatDuration(now - ms))
  const condition = (type: string) => item.conditions.find((each) => each.type === type)?.status ?? '-'
  return [
    item.key.namespace ?? '-',
    oneLine(`${displayKind(resources, item.resource)}/${item.key.name}`),
    { text: assessment.state, colour: colourOf(assessment.state) },
    condition('Ready'),
    condition('Synced'),
    since(assessment.sinceMs),
    ...(isWide ? [oneLine(item.external?.name ?? '-'), oneLine(configOf(item) ?? '-'), since(item.createdMs)] : []),
    oneLine(messageOf(item, assessment)),
  ]
}

function messageOf(item: Item, { state, reason, message }: Assessment): string {
  if (state === 'ready') return ''
  const fields = state === 'drifted' ? ` ${item.drift.map(({ path }) => path).join(', ')}` : ''
  return message.startsWith(reason) || reason === '' ? `${message}${fields}` : `${reason}: ${message}${fields}`
}

const configOf = ({ spec }: Item) => textOf(fieldsOf(spec['providerConfigRef'])['name'])

function notices(
  { shell, resources }: Session,
  seen: {
    readonly rows: readonly Row[]
    readonly unreadable: readonly Unreadable[]
    readonly namespace: string | undefined
  },
): readonly string[] {
  const { rows, unreadable, namespace } = seen
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`
  const none =
    resources.managed.length === 0
      ? `No provider is installed on this server. Next: ${shell.program} doctor`
      : `Nothing is managed${where}.`
  const counts = Object.entries(summaryOf(rows)).map(([state, number]) => `${number} ${state}`)
  const worst = rows[0]
  const hint =
    worst === undefined || worst.assessment.state === 'ready'
      ? ''
      : ` Next: ${shell.program} why ${displayKind(resources, worst.item.resource)}/${worst.item.key.name}${worst.item.key.namespace === undefined ? '' : ` -n ${worst.item.key.namespace}`}`
  return [
    ...unreadable.map(({ resource, message }) => `Not shown: ${resource.plural}: ${cut(oneLine(message), 300)}`),
    ...resources.failures.map(({ groupVersion, message }) => `Not shown: ${groupVersion}: ${oneLine(message)}`),
    rows.length === 0 ? none : `${count(rows.length, 'object')}: ${counts.join(', ')}.${hint}`,
  ]
}

function summaryOf(rows: readonly Row[]): Readonly<Record<string, number>> {
  const entries = states.map((state) => [state, rows.filter((row) => row.assessment.state === state).length] as const)
  return Object.fromEntries(entries.filter(([, number]) => number > 0))
}

/** An object and how it is, for machines. */
export function describe({ resources }: Pick<Session, 'resources'>, { item, assessment }: Row) {
  const { resource, key } = item
  return {
    object: `${displayKind(resources, resource)}/${key.name}`,
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    namespace: key.namespace,
    name: key.name,
    uid: item.uid,
    state: assessment.state,
    ready: assessment.isReady,
    reason: assessment.reason,
    message: assessment.message,
    since: assessment.sinceMs === undefined ? undefined : new Date(assessment.sinceMs).toISOString(),
    externalName: item.external?.name,
    ownership: item.external?.ownership,
    providerConfig: configOf(item),
    conditions: item.conditions,
    drift: item.drift.length === 0 ? undefined : item.drift,
    plan: item.plan,
  }
}
