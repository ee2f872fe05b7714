import { type Answer, textAnswer } from './answer.ts'
import { unknownPath } from './errors.ts'
import type { RequestInfo } from './request-info.ts'

/** One thing that must be well. `isWell` must answer at once. */
export interface HealthCheck {
  readonly name: string
  /** A restart does not help: it keeps requests away, and is left out of `/livez`. */
  readonly readinessOnly: boolean
  readonly isWell: () => boolean
}

const endpoints = ['healthz', 'livez', 'readyz'] as const

/** Answers `/healthz`, `/livez` and `/readyz` as kube-apiserver does; undefined for other paths. Throws 404. */
export function answerHealth(info: RequestInfo, checks: readonly HealthCheck[]): Answer | undefined {
  const [endpoint, only, ...rest] = info.path.split('/').filter((part) => part !== '')
  const found = endpoints.find((candidate) => candidate === endpoint)
  if (found === undefined) return undefined
  const relevant = checks.filter((check) => found !== 'livez' || !check.readinessOnly)
  if (only !== undefined) {
    const check = relevant.find((candidate) => candidate.name === only)
    if (check === undefined || rest.length > 0) throw unknownPath()
    return check.isWell() ? textAnswer(200, 'ok') : textAnswer(500, `${only} failed: reason withheld\n`)
  }
  return report(found, relevant, info)
}

function report(endpoint: string, checks: readonly HealthCheck[], info: RequestInfo): Answer {
  const excluded = new Set(info.query.get('exclude') ?? [])
  let isWell = true
  const lines = checks.map((check) => {
    if (excluded.delete(check.name)) return `[+]${check.name} excluded: ok`
    if (check.isWell()) return `[+]${check.name} ok`
    isWell = false
    return `[-]${check.name} failed: reason withheld`
  })
  if (excluded.size > 0) {
    const names = [...excluded].map((name) => JSON.stringify(name.slice(0, 64))).join(',')
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`)
  }
  if (isWell && !info.query.has('verbose')) return textAnswer(200, 'ok')
  lines.push(`${endpoint} check ${isWell ? 'passed' : 'failed'}`)
  return textAnswer(isWell ? 200 : 500, `${lines.join('\n')}\n`)
}
