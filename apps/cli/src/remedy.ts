import { annotations } from '@orrery/provider'
import type { Assessment } from './assess.ts'
import type { Item } from './item.ts'
import { shellQuote } from './text.ts'

/** Who can act on what is wrong with an object, and the next command. */
export interface Remedy {
  readonly who: string
  readonly next: string
}

export interface RemedyContext {
  /** The object as an argument, e.g. `database/app`. */
  readonly object: string
  readonly namespace: string | undefined
  readonly program: string
}

const ORRERY = 'Orrery, by itself'
const YOU = 'you'
const SYSTEM = 'whoever runs the external system; Orrery tries again by itself'
/** What trying again cannot help: something declared, or a Secret, has to change. */
const YOURS = /^(Invalid|Incomplete|Reserved|PermissionDenied$|Refused$|SchemaRequired$|VersionNotPackaged$)/

/** What to do about an object in this state. Commands change nothing that was not asked about. */
export function remedyFor(item: Item, assessment: Assessment, context: RemedyContext): Remedy {
  const { object } = context
  const at = context.namespace === undefined ? '' : ` -n ${shellQuote(context.namespace)}`
  const annotate = (what: string) => `kubectl annotate ${object}${at} ${what}`
  const patch = (spec: unknown) =>
    `kubectl patch ${object}${at} --type merge -p ${shellQuote(JSON.stringify({ spec }))}`
  const describe = `kubectl describe ${object}${at}`
  switch (assessment.state) {
    case 'ready':
      return { who: 'nobody', next: `${context.program} tree ${object}${at}` }
    case 'pending':
      return { who: ORRERY, next: `${context.program} doctor` }
    case 'waiting':
      return { who: assessment.reason === 'Settling' ? ORRERY : YOU, next: describe }
    case 'deleting':
      return { who: ORRERY, next: describe }
    case 'paused':
      return { who: YOU, next: annotate(`${annotations.paused}-`) }
    case 'drifted':
      return { who: YOU, next: patch({ driftPolicy: 'Correct' }) }
    case 'held':
      return { who: YOU, next: patch({ managementPolicies: ['*'] }) }
    case 'denied':
      return { who: YOU, next: patch({ forceDestroy: true }) }
    case 'unknown':
      return { who: YOU, next: annotate(`${annotations.settle}=${item.attempt?.id ?? 'ATTEMPT'}:retry`) }
    case 'lost':
      return { who: YOU, next: assessment.reason === 'ExternalMissing' ? patch({ lossPolicy: 'Recreate' }) : describe }
    case 'failed':
      if (assessment.reason === 'AlreadyExists') return { who: YOU, next: annotate(`${annotations.adopt}=true`) }
      if (YOURS.test(assessment.reason)) return { who: YOU, next: `kubectl edit ${object}${at}` }
      return { who: SYSTEM, next: annotate(`--overwrite ${annotations.reconcileAt}="$(date -u +%FT%TZ)"`) }
  }
}
