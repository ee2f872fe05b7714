import type { Clock } from '@orrery/api'

const BEAT_MS = 500
/** How long a stall is remembered: two scrapes of the usual 30 s. */
const MEMORY_MS = 60_000
/** Work that blocks the loop this long delays lease renewals and answers: a defect, never load. */
export const STALL_MS = 5_000

export interface EventLoopWatch extends Disposable {
  /** Longest delay of a beat in the last minute. */
  lagMs(): number
}

/** Notices that the event loop did not turn: a synchronous loop somewhere, or a process that was stopped and goes on. */
export function watchEventLoop(clock: Clock, onStall: (lagMs: number) => void): EventLoopWatch {
  let worst = { lagMs: 0, atMono: clock.mono() }
  let expectedMono = clock.mono() + BEAT_MS
  const note = () => {
    const nowMono = clock.mono()
    const lagMs = Math.max(0, nowMono - expectedMono)
    if (lagMs >= worst.lagMs || nowMono - worst.atMono > MEMORY_MS) worst = { lagMs, atMono: nowMono }
    return lagMs
  }
  const beat = () => {
    const lagMs = note()
    if (lagMs > STALL_MS) onStall(lagMs)
    expectedMono = clock.mono() + BEAT_MS
    timer = clock.schedule(BEAT_MS, beat)
  }
  let timer = clock.schedule(BEAT_MS, beat)
  return {
    lagMs: () => {
      note()
      return worst.lagMs
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  }
}
