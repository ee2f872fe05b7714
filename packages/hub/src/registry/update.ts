import { equalJson, type FieldError, formatTime, type JsonObject, trackUpdate } from '@orrery/api'
import type { CachedObject } from '../cache/cache.ts'
import { readBody } from '../http/body.ts'
import { badRequest, conflict, invalid, notFound } from '../http/errors.ts'
import { type WriteOptions, writeOptions } from '../http/options.ts'
import { revision } from '../store/store.ts'
import type { HubCore, RegistryRequest, ServedObject } from './core.ts'
import { createObject } from './create.ts'
import { decodeBody, shapeObject, strictProblems, validateFields } from './decode.ts'
import { type MutableObject, objectAt, textAt, textsAt } from './json-access.ts'
import {
  changesGeneration,
  keepServerOwned,
  mutableMetadata,
  resetFields,
  sameIgnoringTimes,
} from './metadata-rules.ts'
import { objectKey, type ServedResource } from './served-resource.ts'
import { encodeStored, readObject, servedBytes, serveObject } from './stored-form.ts'
import { settleNamespace, validateObject } from './validate.ts'

/** As kube-apiserver: how often a write without a version of its own starts over when others are faster. */
const maxConflictRetries = 5

/** What a verb makes of the live object. */
export interface Change {
  /** Shaped, in the version of the request; owned by the callee. */
  readonly object: MutableObject
  readonly shapeErrors: readonly FieldError[]
  /** Field management was done already: a server-side apply. */
  readonly tracked: boolean
}

export interface UpdateInput {
  readonly options: WriteOptions
  readonly change: (live: JsonObject, cached: CachedObject) => Change
  /** Whether to start over when another writer was faster. */
  readonly retry: boolean
}

/** PUT on an object or its `status` or `finalize`. */
export async function updateFromBody(
  core: HubCore,
  request: RegistryRequest,
): Promise<{ readonly created: boolean; readonly object: ServedObject }> {
  const { resource, info, target, http } = request
  const options = writeOptions({ kind: 'UpdateOptions', query: info.query, headers: http.headers })
  const bytes = await readBody(http)
  const { decodeProtobuf } = core
  const body = decodeBody({ bytes, headers: http.headers, resource, decodeProtobuf })
  const shaped = shapeObject(body.value, resource, request.warnings)
  const problems = strictProblems(body, shaped.unknown)
  validateFields({ problems, level: options.fieldValidation, resource, warnings: request.warnings })
  const metadata = mutableMetadata(shaped.object)
  checkAddress(request, metadata)
  const version = textAt(metadata, 'resourceVersion')
  const key = objectKey(resource, target.namespace, target.name)
  if (resource.definition.createOnUpdate && target.subresource === '' && core.cache.get(key) === undefined) {
    if (version !== '' && version !== '0') throw conflict(resource.definition.info, target.name)
    const create = { object: shaped.object, shapeErrors: shaped.errors, options, tracked: false }
    return { created: true, object: await createObject(core, { ...request, target: { ...target, name: '' } }, create) }
  }
  const change = (_live: JsonObject, cached: CachedObject): Change => {
    checkVersion(resource, target.name, metadata, cached)
    checkUid(resource, target.name, metadata, cached)
    return { object: { ...shaped.object }, shapeErrors: shaped.errors, tracked: false }
  }
  return { created: false, object: await updateObject(core, request, { options, change, retry: version === '' }) }
}

/** The body must mean the object of the URL (400). Fills in a missing namespace. */
export function checkAddress(request: RegistryRequest, metadata: MutableObject): void {
  const { resource, target } = request
  const name = textAt(metadata, 'name')
  if (name === '') {
    throw badRequest(`the name of the object (${target.name} based on URL) was undeterminable: name must be provided`)
  }
  if (name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`)
  }
  settleNamespace(resource, metadata, target.namespace)
}

/** The version rule of writes: 409 when it is another one, 422 when it is missing and the kind demands it. */
export function checkVersion(resource: ServedResource, name: string, metadata: JsonObject, cached: CachedObject): void {
  const { info, unconditionalUpdate } = resource.definition
  const version = textAt(metadata, 'resourceVersion')
  if (version === '' || version === '0') {
    if (unconditionalUpdate) return
    throw invalid(info.group, info.plural, name, [
      {
        path: 'metadata.resourceVersion',
        reason: 'FieldValueInvalid',
        message: 'Invalid value: 0: must be specified for an update',
      },
    ])
  }
  if (!/^\d{1,19}$/.test(version)) {
    throw badRequest(
      `resourceVersion: Invalid value: ${JSON.stringify(version.slice(0, 64))}: strconv.ParseUint: parsing ${JSON.stringify(version.slice(0, 64))}: invalid syntax`,
    )
  }
  if (version !== String(cached.revision)) throw conflict(info, name)
}

function checkUid(resource: ServedResource, name: string, metadata: JsonObject, cached: CachedObject): void {
  const uid = textAt(metadata, 'uid')
  if (uid === '' || uid === cached.index.uid) return
  throw conflict(
    resource.definition.info,
    name,
    `StorageError: invalid object, Code: 4, Key: ${cached.key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${cached.index.uid}`,
  )
}

/** Applies a change to the live object. Throws 404, 409, 413 or 422. */
export async function updateObject(core: HubCore, request: RegistryRequest, input: UpdateInput): Promise<ServedObject> {
  const strategy = core.strategies.get(request.resource.prefix)
  const write = () => updateAlone(core, request, input)
  return strategy?.exclusively === undefined ? write() : strategy.exclusively(write)
}

async function updateAlone(core: HubCore, request: RegistryRequest, input: UpdateInput): Promise<ServedObject> {
  const { resource, target } = request
  const key = objectKey(resource, target.namespace, target.name)
  for (let attempt = 1; ; attempt++) {
    const cached = core.cache.get(key)
    if (cached === undefined) throw notFound(resource.definition.info, target.name)
    const live = readObject(core, resource, cached)
    const change = input.change(live, cached)
    const next = await completeUpdate({ core, request, live, change, options: input.options })
    const served = await storeUpdate({ core, request, cached, next, dryRun: input.options.dryRun })
    if (served !== undefined) return served
    if (!input.retry || attempt >= maxConflictRetries) throw conflict(resource.definition.info, target.name)
  }
}

interface CompleteInput {
  readonly core: HubCore
  readonly request: RegistryRequest
  readonly live: JsonObject
  readonly change: Change
  readonly options: WriteOptions
}

async function completeUpdate({ core, request, live, change, options }: CompleteInput): Promise<JsonObject> {
  const { resource, target, warnings } = request
  const { definition } = resource
  const { subresource } = target
  const liveMetadata = objectAt(live, 'metadata')
  const object = limitToSubresource(resource, subresource, change.object, live)
  const metadata = mutableMetadata(object)
  delete metadata['resourceVersion']
  keepServerOwned(metadata, liveMetadata)
  if (subresource === '') definition.prepare?.(object, live)
  const next = change.tracked ? object : track({ core, resource, live, next: object, options, subresource })
  if (definition.custom && subresource === 'status') {
    // Metadata in a status write is recorded, yet not taken: so Kubernetes has it.
    const { managedFields } = objectAt(next, 'metadata')
    next['metadata'] = { ...liveMetadata, ...(managedFields === undefined ? {} : { managedFields }) }
  }
  // What the hub adds on its own account belongs to no field manager.
  if (subresource === '') core.strategies.get(resource.prefix)?.prepare?.(next, live, warnings)
  if (definition.generation && changesGeneration(next, live, definition.status, equalJson)) {
    const generation = liveMetadata['generation']
    next['metadata'] = {
      ...objectAt(next, 'metadata'),
      generation: (typeof generation === 'number' ? generation : 0) + 1,
    }
  }
  await validateObject({ core, resource, object: next, old: live, shapeErrors: change.shapeErrors, warnings })
  return next
}

/** Takes from the request only what the addressed subresource may change. */
function limitToSubresource(
  resource: ServedResource,
  subresource: string,
  object: MutableObject,
  live: JsonObject,
): MutableObject {
  const { status } = resource.definition
  if (subresource === 'status') {
    const metadata = objectAt(object, 'metadata')
    return withMember({ ...live, metadata }, 'status', object['status'])
  }
  if (subresource === 'finalize') return withMember({ ...object }, 'status', live['status'])
  return status ? withMember({ ...object }, 'status', live['status']) : { ...object }
}

function withMember(object: MutableObject, key: string, value: JsonObject[string] | undefined): MutableObject {
  if (value === undefined) delete object[key]
  else object[key] = value
  return object
}

interface TrackInput {
  readonly core: HubCore
  readonly resource: ServedResource
  readonly live: JsonObject
  readonly next: JsonObject
  readonly options: WriteOptions
  readonly subresource: string
}

function track({ core, resource, live, next, options, subresource }: TrackInput): MutableObject {
  return {
    ...trackUpdate({
      live,
      next,
      schema: resource.definition.schema,
      manager: options.fieldManager,
      apiVersion: resource.apiVersion,
      time: formatTime(core.clock.now()),
      resetFields: resetFields(core, resource, subresource, next),
      ...(subresource === '' ? {} : { subresource }),
    }),
  }
}

interface StoreInput {
  readonly core: HubCore
  readonly request: RegistryRequest
  readonly cached: CachedObject
  readonly next: JsonObject
  readonly dryRun: boolean
}

/** Undefined when another writer was faster. */
async function storeUpdate({ core, request, cached, next, dryRun }: StoreInput): Promise<ServedObject | undefined> {
  const { resource } = request
  const { stored, bytes } = encodeStored(resource, next)
  const shown = (object: JsonObject) => ({ ...object, apiVersion: resource.apiVersion })
  const isGone = isFinished(core, resource, stored)
  if (!isGone && sameIgnoringTimes(stored, core.parsed.read(cached), equalJson)) {
    return { bytes: servedBytes(resource, cached) }
  }
  if (dryRun) return serveObject(shown(stored), cached.revision)
  const expected = revision(cached.revision)
  const write = { key: cached.key, expected }
  const outcome = await core.cache.write(isGone ? write : { ...write, value: bytes })
  if (outcome.state === 'conflict') return undefined
  const current = isGone ? undefined : core.cache.get(cached.key)
  if (current?.revision === outcome.revision) return { bytes: servedBytes(resource, current) }
  return serveObject(shown(stored), outcome.revision)
}

/** A terminating object that nothing holds any more is removed by the write that released it. */
function isFinished(core: HubCore, resource: ServedResource, object: JsonObject): boolean {
  const metadata = objectAt(object, 'metadata')
  if (metadata['deletionTimestamp'] === undefined || textsAt(metadata, 'finalizers').length > 0) return false
  return core.strategies.get(resource.prefix)?.isHeld?.(object) !== true
}
