import { sleep } from '@orrery/api'
import type { HubOptions } from './hub.ts'
import type { Revision } from './store/store.ts'

/** As kube-apiserver: history reaches back five minutes at least, which is what paged lists and watches need. */
const defaults = { intervalMs: 300_000, keepMs: 300_000 }

/** Forgets history regularly. Disposing waits for a compaction that is under way. */
export function compactRegularly(options: Pick<HubOptions, 'store' | 'clock' | 'log' | 'compaction'>): AsyncDisposable {
  const { intervalMs, keepMs } = options.compaction ?? defaults
  const stop = new AbortController()
  const running = run(options, { intervalMs, keepMs, signal: stop.signal })
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await running
    },
  }
}

async function run(
  { store, clock, log }: Pick<HubOptions, 'store' | 'clock' | 'log'>,
  {
    intervalMs,
    keepMs,
    signal,
  }: { readonly intervalMs: number; readonly keepMs: number; readonly signal: AbortSignal },
): Promise<void> {
  // Which revision was the newest at which moment; bounded by what is kept.
  let marks: readonly { readonly atMs: number; readonly revision: Revision }[] = []
  while (!signal.aborted) {
    try {
      await sleep(clock, intervalMs, signal)
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    try {
      const nowMs = clock.mono()
      const due = marks.findLast((mark) => nowMs - mark.atMs >= keepMs)
      if (due !== undefined) await store.compact(due.revision)
      const kept = marks.filter((mark) => nowMs - mark.atMs < keepMs)
      marks = [...kept, { atMs: nowMs, revision: await store.revision() }]
    } catch (error) {
      log.warn({ error }, 'history could not be compacted; trying again at the next interval')
    }
  }
}
