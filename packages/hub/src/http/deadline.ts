import type { Clock } from '@orrery/api'
import { badRequest, timedOut } from './errors.ts'
import { parameter } from './query.ts'
import type { RequestInfo } from './request-info.ts'

/** As kube-apiserver: no ordinary request takes longer. */
const maxRequestMs = 60_000
const maxMutatingMs = 34_000

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** How long a request may take: `?timeout=` in Go's duration format, within the server's bounds. Throws 400. */
export function deadlineMs(info: RequestInfo): number {
  const limit = info.method === 'GET' || info.method === 'HEAD' ? maxRequestMs : maxMutatingMs
  const text = parameter(info.query, 'timeout')
  if (text === undefined || text === '') return limit
  const asked = parseDuration(text)
  if (asked === undefined) {
    throw badRequest(
      `invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(text.slice(0, 64))}`,
    )
  }
  return asked <= 0 ? limit : Math.min(asked, limit)
}

/** Milliseconds of a Go duration such as `1m30s`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0' || text === '-0' || text === '+0') return 0
  const match = /^([+-]?)((?:\d{1,12}(?:\.\d{0,9})?(?:ns|us|µs|ms|s|m|h))+)$/.exec(text)
  if (match === null) return undefined
  let sum = 0
  for (const [, amount = '', unit = ''] of (match[2] ?? '').matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) {
    sum += Number(amount) * (unitMs[unit] ?? 0)
  }
  return match[1] === '-' ? -sum : sum
}

/** The work's result, or 504 after `limitMs`. A write that is already on its way may still take effect. */
export async function withDeadline<T>(clock: Clock, limitMs: number, work: Promise<T>): Promise<T> {
  if (limitMs < 1) throw timedOut()
  const { promise: late, reject } = Promise.withResolvers<never>()
  using _timer = clock.schedule(limitMs, () => reject(timedOut()))
  return await Promise.race([work, late])
}
