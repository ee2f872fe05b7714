/** `@orrery/client`: one typed client, list-watch and informer cache for any Kubernetes-compatible API server. */

export type {
  ApplyOptions,
  Client,
  DeleteOptions,
  List,
  ListOptions,
  Patch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './client.ts'
export { ConnectionError } from './client.ts'
export type { ClientOptions } from './create-client.ts'
export { createClient } from './create-client.ts'
export type { InformerOptions, SharedInformer } from './create-informer.ts'
export { createInformer } from './create-informer.ts'
export type { Deadline } from './deadline.ts'
export { createDeadline } from './deadline.ts'
export type { DiscoveredResource, Discovery } from './discovery.ts'
export { discover, kindOf } from './discovery.ts'
export type { Informer, InformerEvent, InformerListener } from './informer.ts'
export type { IndexFunction } from './view.ts'
