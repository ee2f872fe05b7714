import { formatTime, type JsonObject, stringifyJson } from '@orrery/api'
import type { CachedObject } from '../cache/cache.ts'
import { contentTypeOf, mediaTypes, parseText, readBody } from '../http/body.ts'
import { badRequest, conflict, notFound, unsupportedMediaType } from '../http/errors.ts'
import { type DeleteOptions, deleteOptions, type PropagationPolicy } from '../http/options.ts'
import { revision, StoreError } from '../store/store.ts'
import type { HubCore, RegistryRequest, ServedObject } from './core.ts'
import { isObject, type MutableObject, objectAt, textAt, textsAt } from './json-access.ts'
import { objectKey, type ServedResource } from './served-resource.ts'
import { encodeStored, readObject, servedBytes, serveObject } from './stored-form.ts'

/** How often a delete without a version precondition starts over when the object changes meanwhile. */
const maxConflictRetries = 16

const collectors: Readonly<Record<string, PropagationPolicy>> = { orphan: 'Orphan', foregroundDeletion: 'Foreground' }

export type DeleteOutcome =
  /** Gone. `object` is its last state. */
  | { readonly state: 'removed'; readonly object: ServedObject; readonly uid: string }
  /** Finalizers hold it; it carries a deletionTimestamp. */
  | { readonly state: 'terminating'; readonly object: ServedObject }

/** Reads DeleteOptions from the body (JSON, YAML or protobuf, of any group) or the query. Throws 400, 415, 422. */
export async function readDeleteOptions(core: HubCore, request: RegistryRequest): Promise<DeleteOptions> {
  const { http, info } = request
  const bytes = await readBody(http)
  if (bytes.length === 0) return deleteOptions(info.query, undefined)
  const contentType = contentTypeOf(http.headers)
  if (contentType === mediaTypes.protobuf) return deleteOptions(info.query, core.decodeProtobuf(bytes))
  const format = contentType === mediaTypes.json ? 'json' : contentType === mediaTypes.yaml ? 'yaml' : undefined
  if (format === undefined) throw unsupportedMediaType([mediaTypes.json, mediaTypes.yaml, mediaTypes.protobuf])
  const { value } = parseText(bytes, format, 'the delete options are unrecognized')
  if (value === null) return deleteOptions(info.query, undefined)
  if (!isObject(value)) throw badRequest('DeleteOptions must be an object')
  const kind = textAt(value, 'kind')
  if (kind !== '' && kind !== 'DeleteOptions') {
    const version = textAt(value, 'apiVersion')
    throw badRequest(`no kind "${kind}" is registered for version "${version}" in scheme "pkg/runtime/scheme.go:111"`)
  }
  return deleteOptions(info.query, value)
}

/** DELETE of one object. Throws 403, 404 or 409. */
export async function deleteObject(
  core: HubCore,
  address: { readonly resource: ServedResource; readonly namespace: string; readonly name: string },
  options: DeleteOptions,
): Promise<DeleteOutcome> {
  const strategy = core.strategies.get(address.resource.prefix)
  strategy?.checkDelete?.(address.name)
  const remove = () => deleteAlone(core, address, options)
  return strategy?.exclusively === undefined ? remove() : strategy.exclusively(remove)
}

async function deleteAlone(
  core: HubCore,
  {
    resource,
    namespace,
    name,
  }: { readonly resource: ServedResource; readonly namespace: string; readonly name: string },
  options: DeleteOptions,
): Promise<DeleteOutcome> {
  const key = objectKey(resource, namespace, name)
  for (let attempt = 1; ; attempt++) {
    const cached = await readOrRemove(core, key, options)
    if (cached === 'removed') return { state: 'removed', object: removedStatus(resource, name, ''), uid: '' }
    if (cached === undefined) throw notFound(resource.definition.info, name)
    checkPreconditions(resource, name, cached, options)
    const outcome = await deleteVersion(core, resource, cached, options)
    if (outcome !== undefined) return outcome
    if (options.preconditions.resourceVersion !== undefined || attempt >= maxConflictRetries) {
      throw conflict(resource.definition.info, name)
    }
  }
}

/** The object; or, when it cannot be read and the request asked for that, the removal of what is stored. */
async function readOrRemove(
  core: HubCore,
  key: string,
  { ignoreStoreReadError, dryRun }: DeleteOptions,
): Promise<CachedObject | undefined | 'removed'> {
  try {
    return core.cache.get(key)
  } catch (error) {
    const isMeant = ignoreStoreReadError === true && error instanceof StoreError && error.kind === 'corrupt'
    if (!isMeant || error.revision === undefined) throw error
    if (dryRun) return 'removed'
    const outcome = await core.cache.write({ key, expected: error.revision })
    return outcome.state === 'written' ? 'removed' : core.cache.get(key)
  }
}

function checkPreconditions(
  resource: ServedResource,
  name: string,
  cached: CachedObject,
  options: DeleteOptions,
): void {
  const { info } = resource.definition
  const { uid, resourceVersion } = options.preconditions
  // Kubernetes names the Kind here, not the resource.
  const byKind = { group: info.group, plural: info.kind }
  if (uid !== undefined && uid !== cached.index.uid) {
    throw conflict(
      byKind,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${cached.index.uid}). The object might have been deleted and then recreated`,
    )
  }
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== String(cached.revision)) {
    throw conflict(
      byKind,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${cached.revision}). The object might have been modified`,
    )
  }
}

/** Undefined when another writer was faster. */
async function deleteVersion(
  core: HubCore,
  resource: ServedResource,
  cached: CachedObject,
  options: DeleteOptions,
): Promise<DeleteOutcome | undefined> {
  const live = readObject(core, resource, cached)
  const metadata = objectAt(live, 'metadata')
  const strategy = core.strategies.get(resource.prefix)
  const finalizers = finalizersFor(textsAt(metadata, 'finalizers'), options.propagationPolicy)
  const expected = revision(cached.revision)
  if (finalizers.length === 0 && strategy?.isHeld?.(live) !== true) {
    const removed = {
      state: 'removed',
      object: { bytes: servedBytes(resource, cached) },
      uid: cached.index.uid,
    } as const
    if (options.dryRun) return removed
    const outcome = await core.cache.write({ key: cached.key, expected })
    if (outcome.state === 'conflict') return undefined
    return { ...removed, object: serveObject(live, outcome.revision) }
  }
  const next = markDeleted(core, resource, live, finalizers)
  if (next === undefined) return { state: 'terminating', object: { bytes: servedBytes(resource, cached) } }
  const { stored, bytes } = encodeStored(resource, next)
  const shown = { ...stored, apiVersion: resource.apiVersion }
  if (options.dryRun) return { state: 'terminating', object: serveObject(shown, cached.revision) }
  const outcome = await core.cache.write({ key: cached.key, expected, value: bytes })
  if (outcome.state === 'conflict') return undefined
  return { state: 'terminating', object: serveObject(shown, outcome.revision) }
}

/** What holds the object while the garbage collector does what the policy says. */
function finalizersFor(finalizers: readonly string[], policy: PropagationPolicy | undefined): readonly string[] {
  if (policy === undefined) return finalizers
  const others = finalizers.filter((finalizer) => collectors[finalizer] === undefined)
  if (policy === 'Orphan') return [...others, 'orphan']
  return policy === 'Foreground' ? [...others, 'foregroundDeletion'] : others
}

/** The object with its deletion begun; undefined when it already is and nothing changes. */
function markDeleted(
  core: HubCore,
  resource: ServedResource,
  live: JsonObject,
  finalizers: readonly string[],
): JsonObject | undefined {
  const metadata = objectAt(live, 'metadata')
  const same = finalizers.join('\n') === textsAt(metadata, 'finalizers').join('\n')
  const isTerminating = metadata['deletionTimestamp'] !== undefined
  if (isTerminating && same) return undefined
  const generation = metadata['generation']
  const marked: MutableObject = { ...metadata }
  if (finalizers.length > 0) marked['finalizers'] = finalizers
  else delete marked['finalizers']
  if (!isTerminating) {
    marked['deletionTimestamp'] = formatTime(core.clock.now())
    marked['deletionGracePeriodSeconds'] = 0
    if (typeof generation === 'number' && generation > 0) marked['generation'] = generation + 1
  }
  const next: MutableObject = { ...live, metadata: marked }
  if (!isTerminating) core.strategies.get(resource.prefix)?.markDeleted?.(next)
  return next
}

/** The answer to a delete that removed an object. */
export function removedStatus(resource: ServedResource, name: string, uid: string): ServedObject {
  const { info } = resource.definition
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(info.group === '' ? {} : { group: info.group }), kind: info.plural, uid },
  }
  return { bytes: Buffer.from(stringifyJson(status)) }
}
