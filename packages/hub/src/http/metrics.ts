import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RequestInfo } from './request-info.ts'

/** Values of a label come from URLs; beyond this they are counted together, so that nobody fills the memory. */
const maxSeries = 2000

interface Series {
  readonly count: Counter.Internal
  readonly duration: Histogram.Internal<string>
}

export interface MetricSources {
  readonly storeSizeBytes: () => Promise<number>
  readonly revision: () => number
}

/** What operators know from kube-apiserver, under the same names. */
export class RequestMetrics {
  readonly #requests: Counter<'verb' | 'group' | 'version' | 'resource' | 'subresource' | 'code'>
  readonly #durations: Histogram<'verb' | 'group' | 'version' | 'resource' | 'subresource'>
  readonly #inflight: Gauge<'request_kind'>
  readonly #watches: Gauge<'group' | 'version' | 'resource'>
  readonly #series = new Map<string, Series>()
  readonly #registry: Registry

  constructor(registry: Registry, sources: MetricSources) {
    const registers = [registry]
    const labels = ['verb', 'group', 'version', 'resource', 'subresource'] as const
    this.#registry = registry
    this.#requests = new Counter({
      name: 'apiserver_request_total',
      help: 'Requests by verb, resource and status code.',
      labelNames: [...labels, 'code'],
      registers,
    })
    this.#durations = new Histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Time to answer, by verb and resource; watches are not included.',
      labelNames: labels,
      buckets: [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    })
    this.#inflight = new Gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests that are being answered, by kind: readOnly or mutating.',
      labelNames: ['request_kind'],
      registers,
    })
    this.#watches = new Gauge({
      name: 'apiserver_longrunning_requests',
      help: 'Running watches by resource.',
      labelNames: ['group', 'version', 'resource'],
      registers,
    })
    observe(registry, 'apiserver_storage_size_bytes', 'Size of the store.', sources.storeSizeBytes)
    observe(registry, 'orrery_hub_revision', 'Newest revision that reads show.', sources.revision)
  }

  /** The registry in Prometheus' text form. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8'

  inflight(kind: 'readOnly' | 'mutating', current: number): void {
    this.#inflight.set({ request_kind: kind }, current)
  }

  watchStarted(info: RequestInfo): () => void {
    const { group = '', version = '', resource = '' } = info.resource ?? {}
    const labels = { group, version, resource }
    this.#watches.inc(labels)
    return () => this.#watches.dec(labels)
  }

  /** `isServed` is false for resources that do not exist: their names are the client's invention. */
  finished(info: RequestInfo | undefined, isServed: boolean, code: number, seconds: number): void {
    const { count, duration } = this.#seriesOf(info, isServed, code)
    count.inc()
    if (info?.verb !== 'watch') duration.observe(seconds)
  }

  #seriesOf(info: RequestInfo | undefined, isServed: boolean, code: number): Series {
    const resource = isServed ? info?.resource : undefined
    const verb = info === undefined ? '' : knownVerb(info.verb)
    const key = `${verb} ${resource?.group ?? ''} ${resource?.version ?? ''} ${resource?.resource ?? ''} ${resource?.subresource ?? ''} ${code}`
    const known = this.#series.get(key)
    if (known !== undefined) return known
    const tooMany = this.#series.size >= maxSeries
    const labels = {
      verb,
      group: tooMany ? '' : (resource?.group ?? ''),
      version: tooMany ? '' : (resource?.version ?? ''),
      resource: tooMany ? '' : (resource?.resource ?? ''),
      subresource: tooMany ? '' : (resource?.subresource ?? ''),
    }
    const series = {
      count: this.#requests.labels({ ...labels, code: String(code) }),
      duration: this.#durations.labels(labels),
    }
    if (!tooMany) this.#series.set(key, series)
    return series
  }
}

const verbs = [
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
  'post',
  'head',
] as const

function knownVerb(verb: string): string {
  return verbs.find((candidate) => candidate === verb) ?? 'other'
}

function observe(registry: Registry, name: string, help: string, read: () => number | Promise<number>): void {
  const gauge = new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      gauge.set(await read())
    },
  })
}
