import type { Clock, Logger, Schema, TypeOf } from '@orrery/api'
import type { ExternalError } from './errors.ts'
import type { Attempt, Safety } from './safety.ts'

/**
 * A managed kind, as its author writes it: the schema, how to look, and one function per effect. The
 * engine owns everything else: order, retries, budgets, references, secrets, conditions, events, drift,
 * deletion order, finalizers and status.
 */

/** Who an external thing belongs to, as written outside where the system allows (comment, tag). */
export interface OwnershipMark {
  /** Of the API server that holds the object: uid of its `kube-system` namespace. */
  readonly hub: string
  /** Of the object. */
  readonly uid: string
}

/**
 * What is outside now. Only a positive, authenticated "not there" is `absent`; an error, a refusal or a
 * list that may lag is not.
 */
export type Observation<State = unknown> =
  | { readonly state: 'absent' }
  | {
      readonly state: 'present'
      /** `status.atProvider`; fields that `forProvider` has too are compared for drift. */
      readonly atProvider: State
      /** The id the system chose, for kinds whose name is not chosen by us. */
      readonly externalId?: string
      /** The mark found outside; `null`: the system can carry one and there is none; absent: it cannot. */
      readonly mark?: OwnershipMark | null
      /** Fields that differ and cannot be told by comparing, e.g. a password that no longer works. */
      readonly changed?: readonly string[]
      /** Holds data or dependents, so that deleting it needs `forceDestroy`. Says what, e.g. `3 tables`. */
      readonly notEmpty?: string
    }
  | { readonly state: 'unknown'; readonly reason: string; readonly message: string }

export interface KindContext<Client = unknown, Spec = unknown> {
  /** Connected with the object's ProviderConfig; `undefined` for kinds without one. */
  readonly client: Client
  readonly externalName: string
  /** From the record, for kinds whose id the system chooses. */
  readonly externalId: string | undefined
  /** `spec.forProvider` with defaults, references resolved. */
  readonly desired: Spec
  /** Secret values by the names of {@link KindDefinition.credentials}. Never to be logged or put into errors. */
  readonly credentials: Readonly<Record<string, string>>
  readonly mark: OwnershipMark
  /** The record says that the external thing was made or adopted by this object. */
  readonly owned: boolean
  readonly deleting: boolean
  readonly forceDestroy: boolean
  /** The object behind a single reference field, as others may depend on it. */
  readonly related: (field: string) => ReferencedObject | undefined
  /** `status.atProvider` as last stored, for what only the record knows. */
  readonly recorded: Readonly<Record<string, unknown>> | undefined
  /** Namespace and name of the object. */
  readonly object: { readonly namespace: string; readonly name: string }
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/** Runs the one call that changes the outside. See {@link EffectContext.send}. */
export type Send = <T>(call: () => Promise<T>) => Promise<T>

export interface EffectContext<Client = unknown, Spec = unknown> extends KindContext<Client, Spec> {
  /**
   * The only way to change something outside; exactly one call per effect. Checks synchronously, right
   * before `call` starts, that the attempt still licenses it, and throws `NotSentError` otherwise.
   * Whatever fails before it is known not to have happened; whatever fails inside it is unknown unless
   * it is an `ExternalError` of another class.
   */
  readonly send: Send
  readonly attempt: Attempt
  /** Names of differing fields (`update`), relative to `forProvider`. */
  readonly changed: readonly string[]
  /** The last observation's state (`update`, `delete`). */
  readonly observed: Readonly<Record<string, unknown>> | undefined
}

/**
 * `pending`: a long operation runs; `handle` is stored and given to `resume`. `failed`: the operation is over and
 * did not do what it was to do; unlike a thrown error, it is no failure to ask.
 */
export type EffectResult =
  | { readonly state: 'done'; readonly externalId?: string }
  | { readonly state: 'pending'; readonly handle: unknown; readonly afterMs: number; readonly externalId?: string }
  | { readonly state: 'failed'; readonly error: ExternalError }

export type ProbeResult =
  | { readonly state: 'ready' }
  | { readonly state: 'not-ready'; readonly reason: string; readonly message: string }

/** A field of `forProvider` that may instead name another managed object by `<field>Ref` or `<field>Selector`. */
export interface ReferenceDefinition {
  /** Kind name within the same provider, or `group/Kind`. */
  readonly to: string
  /** The field holds a list; the reference fields are `<field>Refs` and `<field>Selector`. */
  readonly list?: boolean
  /** One of the three must be given. */
  readonly required?: boolean
  /** Which value of the referenced object fills the field; default its external name. */
  readonly value?: (object: ReferencedObject) => string | undefined
  /** While both are being deleted, this object goes first. Default true. */
  readonly deleteBeforeTarget?: boolean
}

/** A referenced managed object, as much of it as other kinds may depend on. */
export interface ReferencedObject {
  readonly namespace: string
  readonly name: string
  readonly externalName: string
  readonly forProvider: Readonly<Record<string, unknown>>
  readonly atProvider: Readonly<Record<string, unknown>> | undefined
  /** Its connection Secret's values, when it has one. */
  readonly connection: Readonly<Record<string, string>> | undefined
}

/** A secret value that the kind needs. */
export interface CredentialDefinition<Spec> {
  /** A field of `forProvider` of the form `{ name, key? }` naming a Secret in the object's namespace. */
  readonly from?: string
  /** Default key in that Secret. */
  readonly key: string
  /** Made and stored durably before the first use, when the user gave none. Length in characters, alphanumeric. */
  readonly generate?: { readonly length: number }
  /** Whether the object needs it at all. */
  when?(desired: Spec): boolean
  /** A change of this value makes a new generated credential, e.g. a field `passwordVersion`. */
  rotateOn?(desired: Spec): string
}

/** Something found outside that could be imported. */
export interface Discovered {
  readonly externalName: string
  readonly forProvider: Readonly<Record<string, unknown>>
}

export interface KindDefinition<Client = unknown, Spec = unknown, State = unknown> {
  readonly kind: string
  readonly plural: string
  readonly shortNames?: readonly string[]
  readonly description: string
  readonly forProvider: Schema<Spec>
  readonly atProvider: Schema<State>
  readonly references?: Readonly<Record<string, ReferenceDefinition>>
  readonly credentials?: Readonly<Record<string, CredentialDefinition<Spec>>>
  /** `none`: the kind is its own system (a local server). Default `required`. */
  readonly providerConfig?: 'required' | 'none'
  /**
   * Losing it loses data: an external loss is reported, not repaired, and deletion of what is not
   * empty needs `spec.forceDestroy`.
   */
  readonly dataBearing: boolean
  readonly safety: Readonly<{ create: Safety; update: Safety; delete: Safety }>
  /** Longest time after sending in which a request may still take effect. */
  readonly maxLateExecutionMs: number
  /** Longest time a created thing may be invisible to `observe`. Default 0. */
  readonly maxReadLagMs?: number
  /** How long one effect's call may take to be sent and answered. Default 60 s. */
  readonly effectTimeoutMs?: number
  /** Default 1 minute after a change up to 10 minutes when stable. */
  readonly poll?: { readonly minMs: number; readonly maxMs: number }
  /** What forms the external name's default; default metadata.name. */
  defaultExternalName?(object: { readonly namespace: string; readonly name: string; readonly desired: Spec }): string
  /** Brings the user's values into the system's spelling before they are compared and sent. Pure. */
  normalize?(desired: Spec): Spec
  /** Reads. Throws `ExternalError`; must not change anything. */
  observe(context: KindContext<Client, Spec>): Promise<Observation<State>>
  create(context: EffectContext<Client, Spec>): Promise<EffectResult>
  /** One mutation towards the desired state; called again until nothing differs. */
  update(context: EffectContext<Client, Spec>): Promise<EffectResult>
  delete(context: EffectContext<Client, Spec>): Promise<EffectResult>
  /** Continues a long operation. */
  resume?(context: KindContext<Client, Spec>, handle: unknown): Promise<EffectResult>
  /** Makes sure that what the attempt sent can no longer take effect. Idempotent. */
  fence?(context: KindContext<Client, Spec>, attempt: Attempt): Promise<void>
  /** Uses the thing as a client would. Absent: `observe` is the proof. */
  probe?(context: KindContext<Client, Spec>, state: State): Promise<ProbeResult>
  /** Values of the connection Secret; undefined leaves the Secret as it is. */
  connection?(context: KindContext<Client, Spec>, state: State): Readonly<Record<string, string>> | undefined
  /** Lists what exists, for import. */
  discover?(client: Client, options: { readonly signal: AbortSignal }): AsyncIterable<Discovered>
  /** For `unsafe` effects: external ids that an unknown outcome may have produced. */
  candidates?(context: KindContext<Client, Spec>, attempt: Attempt): Promise<readonly string[]>
}

/**
 * Defines a kind of a provider whose connections are of type `Client`:
 *
 * ```ts
 * export const role = defineKind<PostgresClient>()({ kind: 'Role', forProvider: object({ … }), … })
 * ```
 *
 * The types of `desired` and `atProvider` follow from the schemas.
 */
export function defineKind<Client>() {
  return <F extends Schema<unknown>, S extends Schema<unknown>>(
    definition: Omit<KindDefinition<Client, TypeOf<F>, TypeOf<S>>, 'forProvider' | 'atProvider'> & {
      readonly forProvider: F
      readonly atProvider: S
    },
  ): KindDefinition => definition
}
