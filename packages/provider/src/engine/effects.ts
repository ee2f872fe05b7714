import { ExternalError, NotSentError } from '../errors.ts'
import type { EffectContext, EffectResult, KindContext, Observation, Send } from '../kind.ts'
import type { Attempt, EffectName } from '../safety.ts'
import { lateUntil } from '../safety.ts'
import type { Connection } from './pool.ts'
import type { Session } from './session.ts'

/** What the engine knows after an effect. */
export type EffectOutcome =
  | { readonly state: 'done'; readonly externalId: string | undefined }
  | { readonly state: 'pending'; readonly afterMs: number }
  /** Nothing happened outside. */
  | { readonly state: 'failed'; readonly error: unknown }
  /** It may have happened, or may still happen. The attempt stays open. */
  | { readonly state: 'unknown'; readonly error: unknown }

export interface EffectRequest {
  readonly effect: EffectName
  readonly connection: Connection | undefined
  readonly priority: 'change' | 'resync'
  readonly context: KindContext
  readonly changed: readonly string[]
  readonly observed: Readonly<Record<string, unknown>> | undefined
  /** Continues an open attempt with its token and its original request. */
  readonly resume?: Attempt
}

const DEFAULT_EFFECT_TIMEOUT_MS = 60_000

/**
 * The protocol of an effect: a durable attempt, then the one call it licenses, then the outcome in the draft
 * of the status (the caller commits it with whatever else changed). The connection's budget comes first, for
 * a licence must not run out while its call waits for its turn. Throws only when the attempt could not be
 * recorded, in which case nothing was sent.
 */
export async function runEffect(session: Session, request: EffectRequest): Promise<EffectOutcome> {
  const call: { attempt: Attempt | undefined; sent: boolean } = { attempt: undefined, sent: false }
  try {
    return await budgeted(session, request, async () => {
      const attempt = newAttempt(session, request)
      const send = licensedSend(session, attempt, () => {
        call.sent = true
      })
      session.set({ attempt })
      await session.commit()
      call.attempt = attempt
      const { resume, context, changed, observed } = request
      const desired = resume === undefined ? context.desired : resume.request
      return recordSuccess(
        session,
        attempt,
        await callEffect(session, request, { ...context, desired, attempt, send, changed, observed }),
      )
    })
  } catch (error) {
    if (call.attempt !== undefined) return recordFailure(session, request, { error, ...call, attempt: call.attempt })
    // There was no turn for the call; nothing was recorded, and what was open stays so.
    if (error instanceof ExternalError || error instanceof NotSentError) return { state: 'failed', error }
    throw error
  }
}

/** Lets one call through, and only while the attempt and the lease allow it by both clocks. */
function licensedSend(session: Session, attempt: Attempt, onSend: () => void): Send {
  const { clock, leadership, timing } = session.world
  const untilMono = Math.min(clock.mono() + timing.sendWindowMs, leadership.validUntilMono())
  let sent = false
  return (call) => {
    if (sent) throw new NotSentError('An effect is one external mutation; a second one was not sent.')
    const expired = clock.mono() >= untilMono || clock.now() >= Date.parse(attempt.sendBefore)
    if (expired || session.signal.aborted) {
      throw new NotSentError('The attempt no longer licenses its call; it was not sent.')
    }
    sent = true
    onSend()
    return call()
  }
}

function newAttempt(session: Session, request: EffectRequest): Attempt {
  const { world, entry } = session
  const nowMs = world.clock.now()
  const safety = entry.definition.safety[request.effect]
  const needsToken = safety.type === 'token' || safety.type === 'find'
  const token = request.resume?.token ?? (needsToken ? world.random.uuid() : undefined)
  return {
    id: request.resume?.id ?? world.random.uuid(),
    effect: request.effect,
    request: request.resume?.request ?? request.context.desired,
    startedAt: request.resume?.startedAt ?? new Date(nowMs).toISOString(),
    sendBefore: new Date(nowMs + world.timing.sendWindowMs).toISOString(),
    epoch: world.leadership.epoch,
    ...(token === undefined ? {} : { token }),
  }
}

async function callEffect(session: Session, request: EffectRequest, context: EffectContext): Promise<EffectResult> {
  const { entry } = session
  const { definition } = entry
  const timeoutMs = definition.effectTimeoutMs ?? DEFAULT_EFFECT_TIMEOUT_MS
  return await timed(session, { verb: request.effect, timeoutMs }, async (signal) => {
    const bounded = { ...context, signal }
    switch (request.effect) {
      case 'create':
        return await definition.create(bounded)
      case 'update':
        return await definition.update(bounded)
      case 'delete':
        return await definition.delete(bounded)
    }
  })
}

interface Access {
  readonly connection: Connection | undefined
  readonly priority: 'change' | 'resync'
}

interface Limits {
  readonly verb: string
  readonly timeoutMs: number
}

/** One external call: over the connection's budget, with a deadline, counted and timed. */
export async function timedCall<T>(
  session: Session,
  options: Access & Limits,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return await budgeted(session, options, async () => await timed(session, options, call))
}

async function budgeted<T>(session: Session, access: Access, run: () => Promise<T>): Promise<T> {
  if (access.connection === undefined) return await run()
  const { priority } = access
  return await session.entry.provider.pool.use(access.connection, { priority, signal: session.signal }, run)
}

async function timed<T>(session: Session, limits: Limits, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { world, entry } = session
  const { verb, timeoutMs } = limits
  const deadline = new AbortController()
  const signal = AbortSignal.any([session.signal, deadline.signal])
  using _timer = world.clock.schedule(timeoutMs, () => {
    deadline.abort(
      new ExternalError({
        class: 'unknown',
        reason: 'Timeout',
        message: `The system did not answer within ${timeoutMs / 1000} s.`,
      }),
    )
  })
  const startedMono = world.clock.mono()
  const finish = (result: string) =>
    world.metrics.externalCall({ kind: entry.id, verb, result }, (world.clock.mono() - startedMono) / 1000)
  try {
    const value = await abortable(call, signal)
    finish('ok')
    return value
  } catch (error) {
    finish(error instanceof ExternalError ? error.class : 'error')
    throw error
  }
}

/** The call's result, or the signal's reason: a client library that ignores its signal must not hold a reconcile beyond its deadline. */
export async function abortable<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const promise = call(signal)
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
    promise.catch(() => undefined) // Its late failure has no one left to tell; the outcome is recorded as unknown.
  }
}

function recordSuccess(session: Session, attempt: Attempt, result: EffectResult): EffectOutcome {
  if (result.state === 'failed') throw result.error
  if (result.state === 'pending') {
    session.set({ attempt: { ...attempt, handle: result.handle } })
    return { state: 'pending', afterMs: result.afterMs }
  }
  session.clear('attempt')
  return { state: 'done', externalId: result.externalId }
}

function recordFailure(
  session: Session,
  request: EffectRequest,
  failure: { readonly error: unknown; readonly attempt: Attempt; readonly sent: boolean },
): EffectOutcome {
  const { error, attempt, sent } = failure
  const isRefusal = error instanceof ExternalError && error.class !== 'unknown'
  if (!sent || isRefusal) {
    if (!mayBeEarlier(session, request, { isRefusal })) session.clear('attempt')
    return { state: 'failed', error }
  }
  const why = error instanceof ExternalError ? error.message : 'The call failed without an answer.'
  session.set({ attempt: { ...attempt, unknown: why } })
  return { state: 'unknown', error }
}

/**
 * That this call was refused says nothing of an earlier one that was not answered. Its token must live on, for a
 * refusal may come before anybody looks at the token. And a name that is taken may be the earlier one's work:
 * then what is outside has to be looked at again.
 */
function mayBeEarlier(session: Session, request: EffectRequest, call: { readonly isRefusal: boolean }): boolean {
  const { resume, effect } = request
  if (resume !== undefined) return true
  const settling = session.status.settling?.create
  if (effect !== 'create' || !call.isRefusal || settling === undefined) return false
  return session.world.clock.now() < Date.parse(settling)
}

/** Closes an attempt whose outcome never became known, and remembers until when it could still take effect. */
export function closeUnanswered(
  session: Session,
  attempt: Attempt,
  options: { readonly fenced: boolean; readonly nowMs: number },
): void {
  session.clear('attempt')
  if (options.fenced) return
  const untilMs = lateUntil(attempt, session.entry.definition.maxLateExecutionMs)
  if (untilMs <= options.nowMs) return
  const until = new Date(untilMs).toISOString()
  session.set({ settling: { ...session.status.settling, [attempt.effect]: until } })
}

/**
 * What may still happen, by effect and until when. What can no longer happen is dropped from `status.settling`,
 * but not before a certain look has shown what came of it.
 */
export function pruneSettling(
  session: Session,
  seen: { readonly observation: Observation; readonly lookedAtMs: number },
): Readonly<Partial<Record<EffectName, number>>> {
  const all = Object.entries(session.status.settling ?? {})
  const pending = all.filter(([, until]) => Date.parse(until) > seen.lookedAtMs)
  if (seen.observation.state !== 'unknown') {
    if (pending.length === 0) session.clear('settling')
    else if (pending.length !== all.length) session.set({ settling: Object.fromEntries(pending) })
  }
  return Object.fromEntries(pending.map(([effect, until]) => [effect, Date.parse(until)]))
}
