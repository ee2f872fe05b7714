import type { State } from '../assess.ts'
import { assess } from '../assess.ts'
import type { CommonOptions, Session } from '../command.ts'
import { differenceCode, loadCatalogue, machineFormat, parseTarget, requireReadable, withSession } from '../command.ts'
import { writeDocument } from '../document.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { Node } from '../graph.ts'
import { buildForest, nodesOf, pathTo } from '../graph.ts'
import type { Unreadable } from '../lookup.ts'
import { CliError } from '../problem.ts'
import { itemId } from '../relations.ts'
import { displayKind, findResource, resolveResource } from '../resources.ts'
import type { Shell } from '../shell.ts'
import type { Colour, Paint } from '../text.ts'
import { cut, oneLine, painter } from '../text.ts'
import { colourOf } from './status.ts'

export interface TreeOptions extends CommonOptions {
  readonly allNamespaces?: boolean
  readonly exitZero?: boolean
}

/** What a tree shows of a node. */
interface Look {
  readonly state: State | 'missing' | 'present'
  readonly mark: string
  readonly colour: Colour
  readonly text: string
}

/** `orrery tree [KIND/NAME]`: namespaces, and in them everything managed below what it lives in. */
export async function tree(shell: Shell, words: readonly string[], options: TreeOptions): Promise<ExitCode> {
  const target = words.length === 0 ? undefined : parseTarget(words, shell)
  return await withSession(shell, options, async (session) => {
    const resource = target === undefined ? undefined : resolveResource(session.resources, target.kind, shell)
    const isNamespace = resource?.group === '' && resource.kind === 'Namespace'
    const namespace = isNamespace
      ? target?.name
      : resource?.namespaced === true
        ? session.namespace
        : options.allNamespaces === true
          ? undefined
          : options.namespace
    const { forest, unreadable } = await load(session, namespace)
    let shown = forest
    if (resource !== undefined && target !== undefined && !isNamespace) {
      const at = resource.namespaced ? namespace : undefined
      const path = pathTo(forest, itemId({ resource, namespace: at, name: target.name }))
      if (path.length === 0)
        throw notThere(session, { kind: displayKind(session.resources, resource), name: target.name, namespace: at })
      shown = [along(path)]
    }
    write(session, { forest: shown, unreadable, options })
    const isAsDeclared = nodesOf(shown).every((node) => ['ready', 'present'].includes(lookAt(node).state))
    return differenceCode(isAsDeclared, options, unreadable)
  })
}

async function load(
  session: Session,
  namespace: string | undefined,
): Promise<{ readonly forest: readonly Node[]; readonly unreadable: readonly Unreadable[] }> {
  const { lookup, resources } = session
  const catalogue = await loadCatalogue(session)
  const { items, unreadable } = await lookup.list(resources.managed, namespace)
  requireReadable(session, { wanted: resources.managed.length, unreadable, namespace })
  const secretKind = findResource(resources, { group: '', kind: 'Secret' })
  const secrets = await lookup.list(secretKind === undefined ? [] : [secretKind], namespace)
  const all = [...unreadable, ...secrets.unreadable]
  return {
    forest: buildForest({ items, secrets: secrets.items, isWhole: all.length === 0 }, catalogue),
    unreadable: all,
  }
}

function notThere(
  { shell }: Session,
  of: { readonly kind: string; readonly name: string; readonly namespace: string | undefined },
): CliError {
  const where = of.namespace === undefined ? '' : ` in namespace ${of.namespace}`
  return new CliError(`${of.kind}/${of.name} is not among what is managed${where}.`, {
    code: 'NotFound',
    object: `${of.kind}/${of.name}`,
    next: `${shell.program} status --kind ${of.kind}`,
  })
}

/** The way to the last node, and everything below that. */
function along([first, ...rest]: readonly Node[]): Node {
  if (first === undefined) throw new RangeError('A path has at least one node.')
  return rest.length === 0 ? first : { ...first, children: [along(rest)] }
}

function write(
  session: Session,
  shown: {
    readonly forest: readonly Node[]
    readonly unreadable: readonly Unreadable[]
    readonly options: TreeOptions
  },
): void {
  const { shell, resources } = session
  const format = machineFormat(shown.options)
  const notices = shown.unreadable.map(({ resource, message }) => ({ kind: displayKind(resources, resource), message }))
  if (format !== undefined) {
    writeDocument(shell.out, format, {
      kind: 'Tree',
      roots: shown.forest.map((node) => documentOf(session, node)),
      unreadable: notices,
    })
    return
  }
  const paint = painter(shell, shell.out)
  const byNamespace = Map.groupBy(shown.forest, ({ namespace }) => namespace)
  for (const [namespace, roots] of byNamespace) {
    shell.out.write(`${paint('bold', namespace === undefined ? 'cluster' : `namespace/${oneLine(namespace)}`)}\n`)
    writeNodes(session, { nodes: roots, indent: '', ancestors: [], paint })
  }
  if (shown.forest.length === 0) shell.err.write(`Nothing is managed there. Next: ${shell.program} doctor\n`)
  for (const { kind, message } of notices) shell.err.write(`Not shown: ${kind}: ${cut(oneLine(message), 300)}\n`)
}

function writeNodes(
  session: Session,
  at: {
    readonly nodes: readonly Node[]
    readonly indent: string
    readonly ancestors: readonly string[]
    readonly paint: Paint
  },
): void {
  const { shell } = session
  for (const [index, node] of at.nodes.entries()) {
    const isLast = index === at.nodes.length - 1
    const look = lookAt(node)
    const ancestors = [...at.ancestors, node.id]
    const needs = needsOf(session, node, ancestors)
    const note = [look.text, ...(needs.length === 0 ? [] : [`needs ${needs.join(', ')}`])].filter((text) => text !== '')
    const label = `${at.indent}${isLast ? '└─ ' : '├─ '}`
    const name = oneLine(nameOf(session, node))
    const room =
      shell.out.columns === undefined ? undefined : Math.max(shell.out.columns - label.length - name.length - 6, 20)
    const rest = note.length === 0 ? '' : `  ${at.paint('dim', cut(oneLine(note.join('; ')), room))}`
    shell.out.write(`${label}${at.paint(look.colour, look.mark)} ${name}${rest}\n`)
    writeNodes(session, { ...at, nodes: node.children, indent: `${at.indent}${isLast ? '   ' : '│  '}`, ancestors })
  }
}

const nameOf = ({ resources }: Session, { resource, name }: Node) => `${displayKind(resources, resource)}/${name}`

/** What it needs beside what it stands below and what stands below it. */
function needsOf(session: Session, node: Node, ancestors: readonly string[]): readonly string[] {
  const near = new Set([...ancestors, ...node.children.map(({ id }) => id)])
  const names = node.links.flatMap(({ resource, namespace, name, field }) => {
    if (name === undefined) return [`what ${field} selects`]
    return near.has(itemId({ resource, namespace, name }))
      ? []
      : [`${displayKind(session.resources, resource)}/${name}`]
  })
  return [...new Set(names)]
}

const MARKS: Readonly<Record<State, string>> = {
  ready: '✔',
  failed: '✘',
  lost: '✘',
  denied: '✘',
  unknown: '?',
  waiting: '…',
  pending: '…',
  deleting: '-',
  drifted: '~',
  held: '~',
  paused: '=',
}

function lookAt({ item }: Node): Look {
  if (item === undefined) return { state: 'missing', mark: '✘', colour: 'red', text: 'does not exist' }
  if (item.conditions.length === 0 && item.resource.group === '' && item.deletingSinceMs === undefined)
    return { state: 'present', mark: '·', colour: 'dim', text: '' }
  const { state, reason, message } = assess(item)
  const text = state === 'ready' ? '' : message.startsWith(reason) ? message : `${reason}: ${message}`
  return { state, mark: MARKS[state], colour: colourOf(state), text }
}

function documentOf(session: Session, node: Node): unknown {
  const look = lookAt(node)
  return {
    object: nameOf(session, node),
    namespace: node.namespace,
    state: look.state,
    message: look.text === '' ? undefined : look.text,
    needs: node.links.map(({ field, resource, name, namespace }) => {
      return {
        field,
        object: name === undefined ? undefined : `${displayKind(session.resources, resource)}/${name}`,
        namespace,
      }
    }),
    children: node.children.map((child) => documentOf(session, child)),
  }
}
