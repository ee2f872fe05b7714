import type { KindDefinition } from '../kind.ts'
import type { ConformanceWorld, KindCase } from './harness.ts'
import { Subject } from './subject.ts'

/** One promise that every kind keeps. */
export interface Rule {
  /** A full sentence. */
  readonly says: string
  /** Why it cannot be tried on this kind in this world; undefined: it can. */
  skip?(stage: Stage): string | undefined
  run(stage: Stage): Promise<void>
}

/** What a rule is tried on. */
export interface Stage {
  readonly world: ConformanceWorld
  readonly kindCase: KindCase
  readonly definition: KindDefinition
  /** Of another kind that needs nothing but a way to the system; undefined when there is none. */
  readonly peer: KindCase | undefined
  /** Objects of this rule have names with this beginning. */
  readonly prefix: string
  /** Every so many crash points are tried. */
  readonly crashStride: number
}

export function subjectOf({ world, kindCase, prefix }: Stage, ending = 'a'): Subject {
  return new Subject(world, kindCase, `${prefix}-${ending}`)
}
