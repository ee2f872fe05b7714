import type { Clock, HttpRequest, HttpResponse, Logger, Random } from '@orrery/api'
import type { Registry as MetricsRegistry } from 'prom-client'
import type { Authenticator, Authorizer, UserInfo } from './auth/auth.ts'
import type { InflightLimits } from './http/inflight.ts'
import type { Store } from './store/store.ts'

export interface HubOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: MetricsRegistry
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
  /** How often history is compacted, and how much stays. */
  readonly compaction?: { readonly intervalMs: number; readonly keepMs: number }
  /** Other processes write to the same store: a consistent read then asks the store for its newest revision first. */
  readonly sharedStore?: boolean
  readonly inflight?: InflightLimits
}

/** What is known of the connection a request came over. */
export interface Peer {
  /** Set by in-process callers only: skips authentication, nothing else. */
  readonly user?: UserInfo
  /** Subject of a client certificate that the listener verified against the hub's CA. */
  readonly certificate?: { readonly commonName: string; readonly organizations: readonly string[] }
  /** A client certificate was sent, but not one that the CA vouches for. */
  readonly certificateRejected?: boolean
  readonly address?: string
}

export interface Hub extends AsyncDisposable {
  /** The whole API: authentication, authorization, admission, validation, storage. Never throws. */
  handle(request: HttpRequest, peer: Peer): Promise<HttpResponse>
  /** Stable identity of this hub's data (the store's id). */
  readonly id: string
}
