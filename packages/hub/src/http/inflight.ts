import { tooManyRequests } from './errors.ts'

export interface InflightLimits {
  readonly readOnly: number
  readonly mutating: number
}

/** kube-apiserver's defaults. Beyond, waiting clients would only pile up. */
export const inflightLimits: InflightLimits = { readOnly: 400, mutating: 200 }

/** Operators keep working when everybody else has filled the hub: their requests are counted apart. */
const privilegedFactor = 4

export type InflightKind = 'readOnly' | 'mutating'

/** Counts requests that are being answered; watches are not counted, their number is bounded by the listener. */
export class Inflight {
  readonly #limits: InflightLimits
  readonly #onChange: (kind: InflightKind, current: number) => void
  readonly #counts = { readOnly: 0, mutating: 0, readOnlyPrivileged: 0, mutatingPrivileged: 0 }

  constructor(limits: InflightLimits, onChange: (kind: InflightKind, current: number) => void) {
    this.#limits = limits
    this.#onChange = onChange
  }

  /** Takes a place, or throws 429. */
  enter(kind: InflightKind, privileged: boolean): Disposable {
    const slot = privileged ? (`${kind}Privileged` as const) : kind
    const limit = this.#limits[kind] * (privileged ? privilegedFactor : 1)
    if (this.#counts[slot] >= limit) throw tooManyRequests()
    this.#counts[slot]++
    this.#report(kind)
    return {
      [Symbol.dispose]: () => {
        this.#counts[slot]--
        this.#report(kind)
      },
    }
  }

  #report(kind: InflightKind): void {
    this.#onChange(kind, this.#counts[kind] + this.#counts[`${kind}Privileged`])
  }
}
