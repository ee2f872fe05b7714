import { isConflict, isNotFound, parseJson, stringifyJson } from '@orrery/api'
import { type Answer, valueAnswer } from '../http/answer.ts'
import type { AnswerForm } from '../http/negotiate.ts'
import type { HubCore, RegistryRequest } from './core.ts'
import { deleteObject, readDeleteOptions } from './delete.ts'
import type { ListOptions } from './list-options.ts'
import { listObjects } from './read.ts'

/** Deletes in flight at once: enough to fill one group commit, few enough to leave room for others. */
const concurrency = 32

/**
 * DELETE of a collection: each selected object is deleted by itself, with the same options. Not atomic.
 * Answers the list of what was deleted.
 */
export async function deleteCollection(
  core: HubCore,
  request: RegistryRequest,
  options: ListOptions,
  form: AnswerForm,
): Promise<Answer> {
  const { resource } = request
  const how = await readDeleteOptions(core, request)
  const page = await listObjects(core, resource, options)
  const waiting = page.items.values()
  const deleted = new Map<string, Uint8Array>()
  const worker = async () => {
    for (const item of waiting) {
      const { namespace, name } = item.index
      try {
        const outcome = await deleteObject(core, { resource, namespace, name }, how)
        deleted.set(item.key, outcome.object.bytes)
      } catch (error) {
        // Gone already is the goal; a precondition that does not hold spares this object only.
        if (!isNotFound(error) && !isConflict(error)) throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, page.items.length) }, worker))
  const head = { kind: resource.listKind, apiVersion: resource.apiVersion }
  const metadata = { resourceVersion: String(core.cache.revision) }
  const items = page.items.flatMap((item) => deleted.get(item.key) ?? [])
  if (form.format === 'json') {
    const text = stringifyJson({ ...head, metadata })
    const body = `${text.slice(0, -1)},"items":[${items.map((bytes) => Buffer.from(bytes).toString()).join(',')}]}`
    return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) }
  }
  return valueAnswer(200, { ...head, metadata, items: items.map((bytes) => parseJson(bytes).value) }, form)
}
