import type { Event, KubeObject, ObjectKey } from '@orrery/api'
import {
  ApiError,
  customResourceDefinitions,
  events,
  isForbidden,
  JsonError,
  labelSelectorOf,
  parseJson,
} from '@orrery/api'
import type { Client, DiscoveredResource } from '@orrery/client'
import { kindOf } from '@orrery/client'
import { REFERENCES_ANNOTATION } from '@orrery/provider'
import type { Fields } from './fields.ts'
import { fieldsOf, timeOf } from './fields.ts'
import type { Item } from './item.ts'
import { readItem } from './item.ts'
import { kindId } from './relations.ts'

/** What was found of an object. Absence is known only when the server said so. */
export type Found =
  | { readonly state: 'present'; readonly item: Item }
  | { readonly state: 'absent' }
  /** Not allowed to look, or the kind is gone. */
  | { readonly state: 'unreadable'; readonly message: string }

/** Objects of one kind that could not be listed. */
export interface Unreadable {
  readonly resource: DiscoveredResource
  /** Kubernetes' word for why, e.g. `Forbidden`. */
  readonly reason: string
  readonly message: string
}

/** Lists that run at the same time: enough to hide the way to the server, few enough to leave it room. */
const CONCURRENCY = 8
/** Events of one object that are looked at; the newest are at the end. */
const MAX_EVENTS = 500

/** Reads objects, each at most once. Secrets are read without their values. */
export class Lookup {
  readonly #client: Client
  readonly #signal: AbortSignal
  readonly #found = new Map<string, Promise<Found>>()
  readonly #lists = new Map<string, Promise<readonly Item[] | Unreadable>>()

  constructor(client: Client, signal: AbortSignal) {
    this.#client = client
    this.#signal = signal
  }

  find(resource: DiscoveredResource, key: ObjectKey): Promise<Found> {
    const id = `${kindId(resource)}:${key.namespace ?? ''}/${key.name}`
    const found = this.#found.get(id) ?? this.#read(resource, key)
    this.#found.set(id, found)
    return found
  }

  /** All objects of the kinds, in one namespace or everywhere; cluster-scoped kinds always. */
  async list(
    resources: readonly DiscoveredResource[],
    namespace: string | undefined,
  ): Promise<{ readonly items: readonly Item[]; readonly unreadable: readonly Unreadable[] }> {
    const items: Item[] = []
    const unreadable: Unreadable[] = []
    for (let start = 0; start < resources.length; start += CONCURRENCY) {
      const batch = resources.slice(start, start + CONCURRENCY)
      for (const answer of await Promise.all(batch.map((resource) => this.#listOne(resource, namespace)))) {
        if ('message' in answer) unreadable.push(answer)
        else items.push(...answer)
      }
    }
    return { items, unreadable }
  }

  /** What was said about an object, oldest first. Empty when events may not be read. */
  async eventsOf(item: Item): Promise<readonly ObjectEvent[]> {
    const namespace = item.key.namespace ?? 'default'
    const fields = `involvedObject.name=${item.key.name},involvedObject.uid=${item.uid}`
    try {
      const { items } = await this.#client.list(events, { namespace, fields, limit: MAX_EVENTS, signal: this.#signal })
      return items.map(readEvent).toSorted((a, b) => a.timeMs - b.timeMs)
    } catch (error) {
      if (isForbidden(error)) return []
      throw error
    }
  }

  /** Which kinds the reference fields of each kind lead to, by `plural.group`. Empty when definitions may not be read. */
  async referenceKinds(): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
    try {
      const { items } = await this.#client.listAll(customResourceDefinitions, {
        labels: MANAGED_BY_ORRERY,
        metadataOnly: true,
        signal: this.#signal,
      })
      return new Map(items.flatMap(referencesOf))
    } catch (error) {
      if (isForbidden(error)) return new Map()
      throw error
    }
  }

  async #read(resource: DiscoveredResource, key: ObjectKey): Promise<Found> {
    const metadataOnly = isSecret(resource)
    try {
      const object = await this.#client.find(kindOf(resource), key, { metadataOnly, signal: this.#signal })
      return object === undefined ? { state: 'absent' } : { state: 'present', item: readItem(resource, object) }
    } catch (error) {
      return { state: 'unreadable', message: refusal(error).message }
    }
  }

  async #listOne(resource: DiscoveredResource, namespace: string | undefined): Promise<readonly Item[] | Unreadable> {
    const id = `${kindId(resource)}:${namespace ?? ''}`
    const running = this.#lists.get(id) ?? this.#listAll(resource, namespace)
    this.#lists.set(id, running)
    return await running
  }

  async #listAll(resource: DiscoveredResource, namespace: string | undefined): Promise<readonly Item[] | Unreadable> {
    try {
      const { items } = await this.#client.listAll<KubeObject>(kindOf(resource), {
        ...(namespace === undefined || !resource.namespaced ? {} : { namespace }),
        metadataOnly: isSecret(resource),
        signal: this.#signal,
      })
      return items.map((object) => readItem(resource, object))
    } catch (error) {
      return { resource, ...refusal(error) }
    }
  }
}

const MANAGED_BY_ORRERY = labelSelectorOf({ matchLabels: { 'app.kubernetes.io/managed-by': 'orrery' } })

const isSecret = ({ group, kind }: DiscoveredResource) => group === '' && kind === 'Secret'

/** What the server said against it; a broken connection is no answer and is thrown. */
function refusal(error: unknown): { readonly reason: string; readonly message: string } {
  if (error instanceof ApiError) return { reason: error.reason, message: error.message }
  throw error
}

/** Something that was said about an object. */
export interface ObjectEvent {
  readonly timeMs: number
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly count: number
}

function readEvent(event: Event): ObjectEvent {
  const time = fieldsOf(event)['eventTime'] ?? event.firstTimestamp
  return {
    timeMs: timeOf(event.lastTimestamp) ?? timeOf(time) ?? timeOf(event.metadata.creationTimestamp) ?? 0,
    type: event.type ?? 'Normal',
    reason: event.reason ?? '',
    message: event.message ?? '',
    count: event.count ?? 1,
  }
}

function referencesOf({ metadata }: KubeObject): readonly (readonly [string, Readonly<Record<string, string>>])[] {
  const text = metadata.annotations?.[REFERENCES_ANNOTATION]
  if (text === undefined) return []
  const entries = Object.entries(parsed(text)).flatMap(([field, to]) =>
    typeof to === 'string' ? [[field, to] as const] : [],
  )
  return [[metadata.name, Object.fromEntries(entries)]]
}

function parsed(text: string): Fields {
  try {
    return fieldsOf(parseJson(text).value)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    return {} // Somebody edited it. Names of fields still tell most of it.
  }
}
