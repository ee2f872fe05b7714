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
export type { Informer, InformerEvent, InformerListener } from './informer.ts'
