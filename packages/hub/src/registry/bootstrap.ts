import { formatTime, type JsonObject } from '@orrery/api'
import { revision } from '../store/store.ts'
import { findResource } from './catalogue.ts'
import type { HubCore } from './core.ts'
import { bootstrapNamespaces } from './namespaces.ts'
import { objectKey } from './served-resource.ts'
import { encodeStored } from './stored-form.ts'

/** Makes the namespaces that everything counts on. Harmless when they exist, also when replicas start together. */
export async function bootstrap(core: HubCore): Promise<void> {
  const resource = findResource(core.catalogue(), { group: '', version: 'v1', resource: 'namespaces' })
  if (resource === undefined) throw new Error('namespaces are not among the built-in kinds')
  for (const name of bootstrapNamespaces) {
    const key = objectKey(resource, '', name)
    if (core.cache.get(key) !== undefined) continue
    const { bytes } = encodeStored(resource, namespaceObject(core, name))
    await core.cache.write({ key, expected: revision(0), value: bytes })
  }
}

function namespaceObject(core: HubCore, name: string): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      uid: core.random.uuid(),
      creationTimestamp: formatTime(core.clock.now()),
      labels: { 'kubernetes.io/metadata.name': name },
    },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }
}
