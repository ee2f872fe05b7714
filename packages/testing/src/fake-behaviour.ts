import type { EffectContext, KindContext, KindDefinition, Observation } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'
import type { FakeCall, FakeFields, FakeSystem, FakeThing } from './fake-system.ts'

/** Lets a result reach its process; a paused process gets it later, a dead one never. */
export type FakeHold = <T>(result: Promise<T>) => Promise<T>

/** A fake system as one process sees it with one credential. */
export class FakeClient {
  readonly system: FakeSystem
  readonly token: string | undefined
  readonly hold: FakeHold

  constructor(options: { readonly system: FakeSystem; readonly token: string | undefined; readonly hold: FakeHold }) {
    this.system = options.system
    this.token = options.token
    this.hold = options.hold
  }

  async check(signal: AbortSignal): Promise<void> {
    await this.hold(this.system.check({ kind: '', token: this.token, signal }))
  }

  call(kind: string, context: KindContext, attempt?: string): FakeCall {
    const { signal, mark } = context
    return { kind, token: this.token, signal, owner: mark.uid, ...(attempt === undefined ? {} : { attempt }) }
  }
}

export interface BehaviourOptions {
  readonly kind: string
  /** By unique name; by the recorded id alone; or by the recorded id, and before that by the mark. */
  readonly findBy: 'name' | 'id' | 'mark'
  readonly marks: boolean
  /** Whether the system refuses a second thing of the same name. Default: whether it is found by name. */
  readonly isUnique?: boolean
  /** Whether a repetition with the same token makes nothing new. */
  readonly honoursToken?: boolean
  readonly durationMs?: number
  /** For kinds without a ProviderConfig. */
  readonly clientOf?: () => FakeClient
}

interface FakeState extends FakeFields {
  readonly id: string
}

type Behaviour = Pick<
  KindDefinition<unknown, unknown, FakeState>,
  'observe' | 'create' | 'update' | 'delete' | 'fence' | 'resume' | 'candidates'
>

/** Where things are when nobody said where. */
const HOME_REGION = 'home'
const POLL_OPERATION_MS = 5_000

/** What the kinds of the fake provider have in common, from how they are found to how they are made. */
export function behaviour(options: BehaviourOptions): Required<Behaviour> {
  const { kind, findBy, marks, durationMs = 0, honoursToken = false, isUnique = findBy === 'name' } = options
  const clientOf = (context: KindContext): FakeClient => {
    const client = options.clientOf?.() ?? context.client
    if (!(client instanceof FakeClient)) throw new TypeError(`${kind} needs a ProviderConfig.`)
    return client
  }
  return {
    async observe(context) {
      const client = clientOf(context)
      const thing = await client.hold(find(client, context, options))
      return thing === undefined ? { state: 'absent' } : present(thing, context, options)
    },
    async create(context) {
      const { system, hold, call } = partsOf(clientOf(context), context, kind)
      const request = call(context.attempt.id)
      const thing = await context.send(() =>
        hold(
          system.create(request, {
            name: context.externalName,
            fields: fieldsOf(context.desired),
            secrets: context.credentials,
            mark: marks ? context.mark : null,
            token: honoursToken ? context.attempt.token : undefined,
            isUnique,
            durationMs,
          }),
        ),
      )
      const id = findBy === 'name' ? {} : { externalId: thing.id }
      if (durationMs === 0) return { state: 'done', ...id }
      return { state: 'pending', handle: thing.id, afterMs: POLL_OPERATION_MS, ...id }
    },
    async update(context) {
      const { system, hold, call } = partsOf(clientOf(context), context, kind)
      const mark = marks ? { mark: context.mark } : {}
      const change = { fields: fieldsOf(context.desired), secrets: context.credentials, ...mark }
      await context.send(() => hold(system.update(call(context.attempt.id), idOf(context), change)))
      return { state: 'done' }
    },
    async delete(context) {
      const { system, hold, call } = partsOf(clientOf(context), context, kind)
      const force = { force: context.forceDestroy }
      await context.send(() => hold(system.delete(call(context.attempt.id), idOf(context), force)))
      return { state: 'done' }
    },
    async fence(context, attempt) {
      const { system, hold, call } = partsOf(clientOf(context), context, kind)
      await hold(system.endSession(call(), attempt.id))
    },
    async resume(context, handle) {
      const { system, hold, call } = partsOf(clientOf(context), context, kind)
      const isFinished = await hold(system.isFinished(call(), String(handle)))
      if (isFinished === undefined) {
        const message = `The operation on ${kind} ${context.externalName} was ended by somebody else.`
        return { state: 'failed', error: new ExternalError({ class: 'conflict', reason: 'Cancelled', message }) }
      }
      return isFinished ? { state: 'done' } : { state: 'pending', handle, afterMs: POLL_OPERATION_MS }
    },
    async candidates(context) {
      const { system, hold, call } = partsOf(clientOf(context), context, kind)
      const things = await hold(system.list(call()))
      return things.filter((thing) => thing.name === context.externalName).map((thing) => thing.id)
    },
  }
}

function partsOf(client: FakeClient, context: KindContext, kind: string) {
  const { system, hold } = client
  return { system, hold, call: (attempt?: string) => client.call(kind, context, attempt) }
}

async function find(
  client: FakeClient,
  context: KindContext,
  { kind, findBy }: BehaviourOptions,
): Promise<FakeThing | undefined> {
  const call = client.call(kind, context)
  const id = context.externalId
  switch (findBy) {
    case 'name':
      return await client.system.read(call, { name: context.externalName })
    case 'id':
      return id === undefined ? undefined : await client.system.read(call, { id })
    case 'mark': {
      if (id !== undefined) return await client.system.read(call, { id })
      const things = await client.system.list(call)
      return things.find(({ mark }) => mark?.hub === context.mark.hub && mark.uid === context.mark.uid)
    }
  }
}

function present(thing: FakeThing, context: KindContext, { marks, findBy }: BehaviourOptions): Observation<FakeState> {
  const wrong = Object.entries(context.credentials).filter(([name, value]) => thing.secrets[name] !== value)
  return {
    state: 'present',
    atProvider: { region: HOME_REGION, ...thing.fields, id: thing.id },
    ...(findBy === 'name' ? {} : { externalId: thing.id }),
    ...(marks ? { mark: thing.mark } : {}),
    changed: wrong.map(([name]) => name),
    ...(thing.items === 0 ? {} : { notEmpty: `${thing.items} items` }),
  }
}

/** The id last observed; effects on what exists follow an observation. */
function idOf(context: EffectContext): string {
  const id = context.observed?.['id']
  if (typeof id !== 'string') throw new TypeError('An effect on something that was not observed.')
  return id
}

/** What a spec asks for; the API server has validated it. */
function fieldsOf(desired: unknown): FakeFields {
  const { size, region, tags, topic, buckets } = desired as FakeFields
  return {
    size,
    ...(region === undefined ? {} : { region }),
    ...(tags === undefined ? {} : { tags }),
    ...(topic === undefined ? {} : { topic }),
    ...(buckets === undefined ? {} : { buckets }),
  }
}
