import type { KindContext, Observation } from '../kind.ts'
import { annotations } from '../managed.ts'
import type { Attempt } from '../safety.ts'
import { settleStep } from '../safety.ts'
import type { EffectOutcome, EffectRequest } from './effects.ts'
import { closeUnanswered, runEffect, timedCall } from './effects.ts'
import type { Session } from './session.ts'

/**
 * The open attempt comes first: before anything new is decided, it is found out what became of it, by the
 * means that the kind declared safe.
 */
export type Settled =
  /** No attempt is open. */
  | { readonly state: 'closed' }
  /** What is outside now is the answer; `conclude` closes the attempt once that is known. */
  | { readonly state: 'observe'; readonly attempt: Attempt; readonly fenced: boolean }
  | { readonly state: 'again'; readonly afterMs: number; readonly reason: string; readonly message: string }
  /** Only a person can tell. */
  | { readonly state: 'ask'; readonly attempt: Attempt; readonly candidates: readonly string[] }
  | { readonly state: 'failed'; readonly error: unknown }

type Access = Pick<EffectRequest, 'connection' | 'priority'>

export async function settle(session: Session, context: KindContext, access: Access): Promise<Settled> {
  const attempt = session.status.attempt
  if (attempt === undefined) return { state: 'closed' }
  const instructed = await followInstruction(session, attempt)
  if (instructed !== undefined) return instructed
  if (attempt.handle !== undefined && session.entry.definition.resume !== undefined) {
    return await resumeOperation(session, attempt, { context, access })
  }
  const step = settleStep({
    attempt,
    safety: session.entry.definition.safety[attempt.effect],
    maxLateExecutionMs: session.entry.definition.maxLateExecutionMs,
    nowMs: session.world.clock.now(),
  })
  switch (step.type) {
    case 'observe':
      return { state: 'observe', attempt, fenced: false }
    case 'fence':
      await fence(session, attempt, { context, access })
      return { state: 'observe', attempt, fenced: true }
    case 'resend':
      return settledBy(
        session,
        attempt,
        await runEffect(session, {
          ...access,
          effect: 'create',
          context,
          changed: [],
          observed: undefined,
          resume: attempt,
        }),
      )
    case 'wait':
      return {
        state: 'again',
        afterMs: step.untilMs - session.world.clock.now(),
        reason: 'Settling',
        message: `A call to ${attempt.effect} it was not answered and may still take effect; what became of it is looked up once that is over.`,
      }
    case 'ask':
      return {
        state: 'ask',
        attempt,
        candidates: (await session.entry.definition.candidates?.(context, attempt)) ?? [],
      }
  }
}

interface Calling {
  readonly context: KindContext
  readonly access: Access
}

async function fence(session: Session, attempt: Attempt, calling: Calling): Promise<void> {
  const timeoutMs = session.world.timing.observeTimeoutMs
  await timedCall(session, { verb: 'fence', timeoutMs, ...calling.access }, async (signal) => {
    await session.entry.definition.fence?.({ ...calling.context, signal }, attempt)
  })
}

async function resumeOperation(session: Session, attempt: Attempt, calling: Calling): Promise<Settled> {
  const timeoutMs = session.world.timing.observeTimeoutMs
  try {
    const result = await timedCall(session, { verb: 'resume', timeoutMs, ...calling.access }, async (signal) =>
      session.entry.definition.resume?.({ ...calling.context, signal }, attempt.handle),
    )
    if (result === undefined) return { state: 'closed' }
    if (result.state === 'pending') {
      session.set({ attempt: { ...attempt, handle: result.handle } })
      return pending(attempt, result.afterMs)
    }
    session.clear('attempt')
    if (result.state === 'failed') return { state: 'failed', error: result.error }
    return settledBy(session, attempt, { state: 'done', externalId: result.externalId })
  } catch (error) {
    return { state: 'failed', error }
  }
}

function settledBy(session: Session, attempt: Attempt, outcome: EffectOutcome): Settled {
  switch (outcome.state) {
    case 'done':
      if (attempt.effect === 'create') recordCreated(session, outcome.externalId)
      if (attempt.effect === 'delete') session.clear('external')
      return { state: 'closed' }
    case 'pending':
      return pending(attempt, outcome.afterMs)
    case 'failed':
    case 'unknown':
      return { state: 'failed', error: outcome.error }
  }
}

const pending = (attempt: Attempt, afterMs: number): Settled => ({
  state: 'again',
  afterMs,
  reason: 'InProgress',
  message: `The operation to ${attempt.effect} it runs outside and is followed.`,
})

/**
 * Closes an attempt with what was observed after it. Absence had been proved before a create was attempted,
 * so what is there now, and carries no foreign mark, is its work. Until the observation is certain the
 * attempt stays open: closing it earlier would lose the only proof that the thing is ours.
 */
export function conclude(
  session: Session,
  settled: Extract<Settled, { state: 'observe' }>,
  seen: { readonly observation: Observation; readonly lookedAtMs: number },
): void {
  const { observation, lookedAtMs } = seen
  if (observation.state === 'unknown') return
  closeUnanswered(session, settled.attempt, { fenced: settled.fenced, nowMs: lookedAtMs })
  if (settled.attempt.effect !== 'create' || observation.state === 'absent') return
  if (!isForeign(session, observation) && session.status.external === undefined)
    recordCreated(session, observation.externalId)
}

/**
 * An attempt to create that was closed with absence may still have taken effect afterwards: what appears while
 * that was possible, and carries no foreign mark, is its work.
 */
export function concludeLate(session: Session, observation: Observation): void {
  const { settling, external } = session.status
  if (observation.state !== 'present' || settling?.create === undefined || external !== undefined) return
  if (!isForeign(session, observation)) recordCreated(session, observation.externalId)
}

function isForeign(session: Session, { mark }: Extract<Observation, { state: 'present' }>): boolean {
  if (mark === undefined) return false
  // Where the mark is part of the request, what carries none was not made by it.
  if (mark === null) return session.entry.definition.safety.create.type === 'find'
  return mark.uid !== session.object.metadata.uid
}

export function recordCreated(session: Session, externalId: string | undefined): void {
  session.set({
    external: {
      name: session.externalName,
      ...(externalId === undefined ? {} : { id: externalId }),
      ownership: 'Created',
      since: new Date(session.world.clock.now()).toISOString(),
    },
  })
}

/** `orrery.dev/settle: <attempt id>:adopt=<external id> | retry | abandon`, written by a person who looked. */
async function followInstruction(session: Session, attempt: Attempt): Promise<Settled | undefined> {
  const text = session.object.metadata.annotations?.[annotations.settle]
  if (text === undefined || !text.startsWith(`${attempt.id}:`)) return undefined
  const instruction = text.slice(attempt.id.length + 1)
  if (instruction.startsWith('adopt=') && instruction.length > 'adopt='.length) {
    recordCreated(session, instruction.slice('adopt='.length))
  } else if (instruction !== 'retry' && instruction !== 'abandon') {
    session.event(
      'Warning',
      'BadInstruction',
      `${annotations.settle} must be <attempt id>:adopt=<external id>, :retry or :abandon.`,
    )
    return undefined
  }
  session.clear('attempt')
  session.event('Normal', 'Settled', `The unknown outcome was settled by instruction: ${instruction}.`)
  await session.commit()
  await session.removeAnnotation(annotations.settle)
  return { state: 'closed' }
}
