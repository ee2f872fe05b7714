import type { Clock, HttpRequest, JsonObject, Logger, Random } from '@orrery/api'
import type { UserInfo } from '../auth/auth.ts'
import type { WatchCache } from '../cache/cache.ts'
import type { RequestInfo, ResourceTarget } from '../http/request-info.ts'
import type { Warnings } from '../http/warnings.ts'
import type { Catalogue } from './catalogue.ts'
import type { ProtobufDecoder } from './decode.ts'
import type { MutableObject } from './json-access.ts'
import type { ParsedObjects } from './parsed-objects.ts'
import type { ServedResource } from './served-resource.ts'

/** What the registry works with. One per hub. */
export interface HubCore {
  readonly cache: WatchCache
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly parsed: ParsedObjects
  readonly decodeProtobuf: ProtobufDecoder
  /** By key prefix of the resource. */
  readonly strategies: ReadonlyMap<string, Strategy>
  /** Aborts when the hub shuts down: watches end, so that their clients go elsewhere. */
  readonly closing: AbortSignal
  catalogue(): Catalogue
  /** Calls back after each change of what is served. */
  onCatalogueChange(listener: () => void): Disposable
  /** Waits until reads see everything that any writer to the store was told to be done. */
  settleReads(): Promise<void>
}

/** How the hub itself takes part in writes of one built-in kind, beyond what its definition says as data. */
export interface Strategy {
  /** Completes an object before field management and validation. Owns `object`. */
  readonly prepare?: (object: MutableObject, old: JsonObject | undefined, warnings: Warnings) => void
  /** Marks an object whose deletion begins. Owns `object`. */
  readonly markDeleted?: (object: MutableObject) => void
  /** Throws `ApiError` for objects that nobody may delete. */
  readonly checkDelete?: (name: string) => void
  /** Whether something other than `metadata.finalizers` still holds a terminating object. */
  readonly isHeld?: (object: JsonObject) => boolean
  /** Top-level fields that nobody owns through the main endpoint, because the server looks after them. */
  readonly resetFields?: readonly string[]
  /** Runs a write alone among writes of this kind, for kinds whose objects constrain each other. */
  readonly exclusively?: <T>(write: () => Promise<T>) => Promise<T>
}

/** One authorized request for a served resource. */
export interface RegistryRequest {
  readonly http: HttpRequest
  readonly info: RequestInfo
  readonly target: ResourceTarget
  readonly resource: ServedResource
  readonly user: UserInfo
  readonly warnings: Warnings
  /** Whether the user may still do this. Asked again while a watch goes on. */
  readonly isStillAllowed: () => Promise<boolean>
}

/** An object as it is served, in the version of the request. */
export interface ServedObject {
  /** Compact JSON with `metadata.resourceVersion`. */
  readonly bytes: Uint8Array
}
