import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Kind, KubeObject } from '@orrery/api'
import { keyOf, parseYamlDocuments } from '@orrery/api'
import type { Client } from '@orrery/client'
import { discover, kindOf } from '@orrery/client'

/** The example that a new data directory starts with. */

const FOLDER = fileURLToPath(new URL('../../../examples/quickstart/', import.meta.url))
export const QUICKSTART_NAMESPACE = 'quickstart'

/**
 * Applies `examples/quickstart/` once in the life of a data directory. What already exists is left as it is, so
 * that a start that was interrupted half way goes on where it stopped.
 */
export async function applyQuickstart(client: Client, markFile: string, signal: AbortSignal): Promise<boolean> {
  if (existsSync(markFile)) return false
  const { resources } = await discover(client, { signal })
  for (const object of readObjects()) {
    const kind = resources.find(
      (each) =>
        each.kind === object.kind &&
        `${each.group === '' ? '' : `${each.group}/`}${each.version}` === object.apiVersion,
    )
    if (kind === undefined) throw new Error(`${object.kind} of ${object.apiVersion} is not served.`)
    await applyOnce(client, kindOf(kind), object, signal)
  }
  writeFileSync(markFile, '')
  return true
}

async function applyOnce(client: Client, kind: Kind, object: KubeObject, signal: AbortSignal): Promise<void> {
  if ((await client.find(kind, keyOf(object), { signal })) !== undefined) return
  await client.apply(kind, object, { fieldManager: 'orrery-quickstart', signal })
}

function readObjects(): readonly KubeObject[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .toSorted()
    .flatMap((name) => parseYamlDocuments(readFileSync(path.join(FOLDER, name), 'utf8')).map(toObject))
}

function toObject(document: unknown): KubeObject {
  if (typeof document === 'object' && document !== null && 'kind' in document && 'metadata' in document)
    return document as KubeObject
  throw new Error('A document of the quickstart is not an object of the API.')
}
