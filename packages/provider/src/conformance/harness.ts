import type { Clock, KubeObject, Logger, Random } from '@orrery/api'
import type { Client } from '@orrery/client'
import type { ManagerOptions } from '@orrery/runtime'
import type { EngineTiming } from '../engine/registry.ts'
import type { ProviderDefinition } from '../provider.ts'

/**
 * What a provider brings to be proved by the suite: a world in which its kinds work, a valid object of each, and
 * a way to look at, and to damage, what is outside without the provider.
 */
export interface ProviderHarness {
  /** One for each kind of the provider; a kind without a case fails the suite. */
  readonly cases: readonly KindCase[]
  /**
   * Runs `work` in a fresh world and takes the world apart afterwards. With virtual time it also drives the
   * clock until `work` has ended; nothing in the suite reads another clock than the world's.
   */
  run(work: (world: ConformanceWorld) => Promise<void>): Promise<void>
}

export interface ConformanceWorld {
  readonly provider: ProviderDefinition
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Exists, with the credential Secret in it. */
  readonly namespace: string
  /** Makes the ProviderConfig `default` that reaches the system; called once the kinds are served. */
  createConfig(): Promise<void>
  /** Of claims and keys; made by the suite. */
  readonly systemNamespace: string
  /** The API server itself takes namespaces apart. */
  readonly keepsHouse?: boolean
  createMetrics(): ManagerOptions['metrics']
  /** Shorter windows make crashes cheaper to wait for; must still cover a store write. */
  readonly timing?: Partial<EngineTiming>
  /** Longest wait for one expectation. Covers what the kinds declare: lateness, lag, long operations. */
  readonly patienceMs: number
  /** Between two looks at what is waited for. */
  readonly lookEveryMs: number
  readonly outside: Outside
  readonly credentials?: CredentialFaults
  /** The system cannot be reached. */
  readonly reach?: Fault
  /** The system refuses every call for now. */
  readonly throttling?: Fault
}

/** One external thing, as the suite names it. */
export interface Target {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly externalName: string
}

/** The system as an administrator sees it, past the provider. */
export interface Outside {
  /** Things that exist for this object, by every means the system offers: 1 is right, 2 is a duplicate. */
  ids(target: Target): Promise<readonly string[]>
  /** Everything that the object determines, without ids and times; equal for equal specs. */
  digest(target: Target): Promise<unknown>
  /** Deletes it by hand. */
  remove(target: Target): Promise<void>
  /** Changes one of {@link KindCase.driftable} by hand, to a value that no case asks for. */
  change(target: Target, field: string): Promise<void>
  /** Makes by hand what the case's object asks for. For kinds that are importable. */
  make(target: Omit<Target, 'uid'>): Promise<void>
  /** Puts something into it, or takes it out again. For kinds that bear data. */
  fill?(target: Target, isFull: boolean): Promise<void>
}

/** Starting and stopping twice is as once. */
export interface Fault {
  start(): Promise<void>
  stop(): Promise<void>
}

export interface CredentialFaults {
  /** Makes the credential Secret wrong, and right again. */
  readonly wrong: Fault
  /** The system gets a new credential, and the Secret is changed to it. */
  rotate(): Promise<void>
}

type Fields = Readonly<Record<string, unknown>>

/** How the suite makes, and changes, objects of one kind. */
export interface KindCase {
  readonly kind: string
  /** A valid `forProvider`; references name prerequisites. */
  readonly forProvider: Fields
  /** Other fields of `spec`. */
  readonly spec?: Fields
  /** Made before, in this order, and waited for until each is Ready. `metadata.namespace` is set by the suite. */
  readonly prerequisites?: readonly KubeObject[]
  /** Each mutable field of interest: a merge patch of `forProvider`. */
  readonly changes: readonly { readonly field: string; readonly forProvider: Fields }[]
  /** Fields that {@link Outside.change} can change. */
  readonly driftable: readonly string[]
  /** A merge patch of `forProvider` that changes an immutable field. */
  readonly immutableChange?: Fields
  /** Found by external name: what exists can be refused, adopted, observed. Kinds whose id the system chooses are not. */
  readonly isImportable: boolean
  /** The external name that an object of this name has by default. Default: the same. */
  externalName?(name: string): string
}
