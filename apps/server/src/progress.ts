import type { KubeObject } from '@orrery/api'
import { silentLogger } from '@orrery/api'
import type { Client, Informer } from '@orrery/client'
import { createInformer, discover, kindOf } from '@orrery/client'
import { systemClock, systemRandom } from '@orrery/client/node'
import type { Item } from './progress-items.ts'
import { idOf, itemOf, layout } from './progress-items.ts'

/** Live progress of everything managed in a namespace: a tree that redraws on a terminal, a line per change elsewhere. */
export interface ProgressOptions {
  readonly client: Client
  readonly namespace: string
  readonly out: NodeJS.WriteStream
  /** Redraw in place. */
  readonly tree: boolean
}

const REDRAW_MS = 80
/** Without movement for this long, what everything waits for is said by itself. */
const STALL_MS = 30_000

/** Resolves when all objects are Ready, or `signal` aborts. */
export async function showProgress(options: ProgressOptions, signal: AbortSignal): Promise<'ready' | 'aborted'> {
  const { resources } = await discover(options.client, { signal })
  const kinds = resources
    .filter(({ group, categories }) => group.endsWith('.orrery.dev') && categories?.includes('orrery') === true)
    .map(kindOf)
  const ending = new AbortController()
  const combined = AbortSignal.any([signal, ending.signal])
  const view = options.tree ? new Tree(options) : new Lines(options)
  const informers = kinds
    .filter(({ namespaced }) => namespaced)
    .map((kind) =>
      createInformer({
        client: options.client,
        kind,
        clock: systemClock,
        random: systemRandom,
        log: silentLogger,
        namespace: options.namespace,
      }),
    )
  const running = informers.map(async (informer) => await informer.run(combined))
  try {
    await Promise.all(informers.map(async (informer) => await informer.ready(combined)))
    await untilReady(view, informers, combined)
    return 'ready'
  } catch (error) {
    if (signal.aborted) return 'aborted'
    throw error
  } finally {
    view.finish()
    ending.abort()
    await Promise.allSettled(running)
  }
}

async function untilReady(view: View, informers: readonly Informer<KubeObject>[], signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const aborted = () => reject(signal.reason)
  signal.addEventListener('abort', aborted, { once: true })
  let stall = setTimeout(() => undefined, 0)
  const look = () => {
    const items = informers.flatMap((informer) => informer.list().map((object) => itemOf(informer.kind, object)))
    clearTimeout(stall)
    stall = setTimeout(() => view.stalled(items.filter(({ state }) => state !== 'ready')), STALL_MS)
    view.show(items)
    if (items.length > 0 && items.every(({ state }) => state === 'ready')) resolve()
  }
  using listeners = new DisposableStack()
  for (const informer of informers) listeners.use(informer.listen(look))
  look()
  try {
    await promise
  } finally {
    clearTimeout(stall)
    signal.removeEventListener('abort', aborted)
  }
}

interface View {
  show(items: readonly Item[]): void
  stalled(waiting: readonly Item[]): void
  finish(): void
}

const time = () => new Date(systemClock.now()).toISOString().slice(11, 19)

/** For logs and pipes: timestamped, one line per change, no cursor codes. */
class Lines implements View {
  readonly #options: ProgressOptions
  readonly #shown = new Map<string, string>()

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  show(items: readonly Item[]): void {
    for (const item of items) {
      const key = idOf(item)
      if (this.#shown.get(key) === item.text) continue
      this.#shown.set(key, item.text)
      this.#options.out.write(`${time()} ${this.#options.namespace} ${key}: ${item.text}\n`)
    }
  }

  stalled(waiting: readonly Item[]): void {
    for (const item of waiting)
      this.#options.out.write(`${time()} still waiting for ${item.kind}/${item.name}: ${item.text}\n`)
  }

  finish(): void {}
}

const MARKS = {
  ready: '\u001b[32m✔\u001b[0m',
  working: '\u001b[33m…\u001b[0m',
  failed: '\u001b[31m✘\u001b[0m',
} as const

/** For terminals: the tree is drawn over itself. */
class Tree implements View {
  readonly #options: ProgressOptions
  #items: readonly Item[] = []
  #note = ''
  #drawn = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  show(items: readonly Item[]): void {
    this.#items = items
    this.#note = ''
    this.#timer ??= setTimeout(() => this.#draw(), REDRAW_MS)
  }

  stalled(waiting: readonly Item[]): void {
    const [first] = waiting
    this.#note =
      first === undefined
        ? ''
        : `nothing moved for ${STALL_MS / 1000} s; waiting for ${first.kind} ${first.name}: ${first.text}`
    this.#draw()
  }

  finish(): void {
    clearTimeout(this.#timer)
    this.#draw()
  }

  #draw(): void {
    this.#timer = undefined
    const { out, namespace } = this.#options
    const width = out.columns ?? 80
    const drawn = layout(this.#items)
    const labels = drawn.map(({ item, prefix }) => `${prefix}${item.kind} ${item.name}`)
    const labelWidth = Math.max(0, ...labels.map((label) => label.length))
    const lines = [
      namespace,
      ...drawn.map(({ item }, index) => {
        const room = Math.max(width - labelWidth - 5, 20)
        return `${(labels[index] ?? '').padEnd(labelWidth)}  ${MARKS[item.state]} ${item.text.slice(0, room)}`
      }),
      ...(this.#note === '' ? [] : [this.#note.slice(0, width)]),
    ]
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`
    out.write(`${up}${lines.join('\n')}\n`)
    this.#drawn = lines.length
  }
}
