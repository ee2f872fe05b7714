import type { JsonObject } from '@orrery/api'
import type { ResourceDefinition } from '../builtin/builtin.ts'
import type { IndexRecord } from '../cache/cache.ts'
import { isObject, objectAt, textAt } from './json-access.ts'
import { parseStored } from './parsed-objects.ts'
import { resourcePrefix, type ServedResource } from './served-resource.ts'

interface StoredDefinitions {
  all(): Iterable<{ readonly storage: ServedResource | undefined }>
}

/**
 * Reads the index record out of stored bytes. Selectable fields of custom resources are those of the CRD
 * at the time; after a change of them, and once the CRDs are known at start, the cache reads the records again.
 */
export function createIndexer(
  builtins: readonly ResourceDefinition[],
  customResources: StoredDefinitions,
): (key: string, stored: Uint8Array) => IndexRecord {
  const byPrefix = new Map(
    builtins.map((definition) => [resourcePrefix(definition.info.group, definition.info.plural), definition]),
  )
  const fieldsOf = (key: string, object: JsonObject) => {
    const prefix = prefixOf(key)
    const builtin = byPrefix.get(prefix)
    if (builtin !== undefined) return builtin.fieldsOf(object)
    for (const { storage } of customResources.all()) {
      if (storage?.prefix === prefix) return storage.definition.fieldsOf(object)
    }
    return undefined
  }
  return (key, stored) => {
    const object = parseStored(stored)
    const metadata = objectAt(object, 'metadata')
    return {
      namespace: textAt(metadata, 'namespace'),
      name: textAt(metadata, 'name'),
      uid: textAt(metadata, 'uid'),
      labels: labelsOf(metadata),
      fields: fieldsOf(key, object),
    }
  }
}

function prefixOf(key: string): string {
  const second = key.indexOf('/', 1)
  return key.slice(0, key.indexOf('/', second + 1) + 1)
}

function labelsOf(metadata: JsonObject): Readonly<Record<string, string>> | undefined {
  const { labels } = metadata
  if (!isObject(labels)) return undefined
  const entries = Object.entries(labels).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  )
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
