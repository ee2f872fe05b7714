import type { Schema, TypeOf } from '@orrery/api'
import type { KindDefinition } from './kind.ts'

/** What a connection is opened with. */
export interface ConnectInput<Config> {
  /** `spec` of the ProviderConfig, or of what its `instanceRef` leads to. */
  readonly config: Config
  /** The values of the credential Secret, or of the instance's connection Secret. */
  readonly credentials: Readonly<Record<string, string>>
}

export interface ProviderDefinition<Client = unknown, Config = unknown> {
  /** API group, `<system>.orrery.dev`. */
  readonly group: string
  readonly description: string
  /** Prefix of short names, e.g. `pg`. */
  readonly shortName: string
  /** `spec` of ProviderConfig, beside `credentialsSecretRef` and `instanceRef`, which the SDK adds. */
  readonly config: Schema<Config>
  /** Kind that `instanceRef` names; its connection Secret supplies address and credentials. */
  readonly instanceKind?: string
  readonly kinds: readonly KindDefinition[]
  /** Most calls in flight per ProviderConfig. */
  readonly maxConcurrentCalls: number
  /** Opens lazily; must not wait for the system to be reachable. */
  connect(input: ConnectInput<Config>): Client
  /** Ends all connections. Calls still running fail. */
  close(client: Client): Promise<void>
  /** One cheap authenticated call, for the ProviderConfig's Ready condition. Throws `ExternalError`. */
  check(client: Client, options: { readonly signal: AbortSignal }): Promise<void>
  /** Names the system itself, the same for every way to address it that can be told apart without asking it. */
  identify(input: ConnectInput<Config>): string
}

/** Defines a provider; the types of `config` follow from its schema. */
export function defineProvider<Client>() {
  return <C extends Schema<unknown>>(
    definition: Omit<ProviderDefinition<Client, TypeOf<C>>, 'config'> & { readonly config: C },
  ): ProviderDefinition => definition
}
