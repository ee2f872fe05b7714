import { ApiError, type FieldError, formatTime, type JsonObject, trackUpdate } from '@orrery/api'
import { readBody } from '../http/body.ts'
import { alreadyExists, badRequest, forbidden, methodNotAllowed, notFound } from '../http/errors.ts'
import { type WriteOptions, writeOptions } from '../http/options.ts'
import { revision } from '../store/store.ts'
import type { HubCore, RegistryRequest, ServedObject } from './core.ts'
import { decodeBody, shapeObject, strictProblems, validateFields } from './decode.ts'
import { type MutableObject, objectAt, textAt } from './json-access.ts'
import { mutableMetadata, resetFields, wipeServerOwned } from './metadata-rules.ts'
import { objectKey, resourcePrefix, type ServedResource } from './served-resource.ts'
import { encodeStored, servedBytes, serveObject } from './stored-form.ts'
import { settleNamespace, validateObject } from './validate.ts'

/** Of generated names: no vowels, so that no words appear, and no characters that are easily confused. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5
const maxGeneratedNameLength = 63
const maxNameAttempts = 8

/** POST on a collection. */
export async function createFromBody(core: HubCore, request: RegistryRequest): Promise<ServedObject> {
  const { resource, info, target, http } = request
  if (target.name !== '') throw methodNotAllowed(resource.definition.info, 'create', resource.definition.custom)
  const options = writeOptions({ kind: 'CreateOptions', query: info.query, headers: http.headers })
  const bytes = await readBody(http)
  const { decodeProtobuf } = core
  const body = decodeBody({ bytes, headers: http.headers, resource, decodeProtobuf })
  const { object, unknown, errors } = shapeObject(body.value, resource, request.warnings)
  validateFields({
    problems: strictProblems(body, unknown),
    level: options.fieldValidation,
    resource,
    warnings: request.warnings,
  })
  return createObject(core, request, { object, shapeErrors: errors, options, tracked: false })
}

export interface CreateInput {
  /** Shaped, in the version of the request. Owned by the callee. */
  readonly object: MutableObject
  readonly shapeErrors: readonly FieldError[]
  readonly options: WriteOptions
  /** Field management was done already: a server-side apply. */
  readonly tracked: boolean
}

/** Everything between a decoded object and its place in the store. Throws `ApiError`. */
export async function createObject(core: HubCore, request: RegistryRequest, input: CreateInput): Promise<ServedObject> {
  const strategy = core.strategies.get(request.resource.prefix)
  const write = () => createAlone(core, request, input)
  return strategy?.exclusively === undefined ? write() : strategy.exclusively(write)
}

async function createAlone(core: HubCore, request: RegistryRequest, input: CreateInput): Promise<ServedObject> {
  const { resource, target, warnings } = request
  const { definition } = resource
  const { object, options } = input
  const metadata = mutableMetadata(object)
  settleNamespace(resource, metadata, target.namespace)
  const version = textAt(metadata, 'resourceVersion')
  if (version !== '' && version !== '0') throw badRequest('resourceVersion should not be set on objects to be created')
  delete metadata['resourceVersion']
  wipeServerOwned(metadata)
  const generated = textAt(metadata, 'name') === '' && textAt(metadata, 'generateName') !== ''
  const base = textAt(metadata, 'generateName')
  if (generated) metadata['name'] = generateName(core, base)
  admitCreate(core, resource, textAt(metadata, 'namespace'), textAt(metadata, 'name'))
  metadata['uid'] = core.random.uuid()
  metadata['creationTimestamp'] = formatTime(core.clock.now())
  if (definition.generation) metadata['generation'] = 1
  if (definition.status) delete object['status']
  definition.prepare?.(object, undefined)
  const tracked = input.tracked ? object : track(core, resource, object, options)
  // What the hub adds on its own account belongs to no field manager.
  core.strategies.get(resource.prefix)?.prepare?.(tracked, undefined, warnings)
  await validateObject({ core, resource, object: tracked, shapeErrors: input.shapeErrors, warnings })
  if (options.dryRun) return dryRun(core, resource, tracked)
  for (let attempt = 1; ; attempt++) {
    const written = await tryCreate(core, resource, tracked)
    if (written !== undefined) return written
    const name = textAt(objectAt(tracked, 'metadata'), 'name')
    if (!generated) throw alreadyExists(definition.info, name, isTerminating(core, resource, tracked))
    if (attempt >= maxNameAttempts) throw namesExhausted(resource, base)
    tracked['metadata'] = { ...objectAt(tracked, 'metadata'), name: generateName(core, base) }
  }
}

function track(core: HubCore, resource: ServedResource, next: JsonObject, options: WriteOptions): MutableObject {
  const { schema } = resource.definition
  const time = formatTime(core.clock.now())
  const { apiVersion } = resource
  const reset = resetFields(core, resource, '', next)
  return { ...trackUpdate({ next, schema, manager: options.fieldManager, apiVersion, time, resetFields: reset }) }
}

/** Undefined when the name is taken. */
async function tryCreate(
  core: HubCore,
  resource: ServedResource,
  object: JsonObject,
): Promise<ServedObject | undefined> {
  const key = keyOfObject(resource, object)
  const { stored, bytes } = encodeStored(resource, object)
  const outcome = await core.cache.write({ key, expected: revision(0), value: bytes })
  if (outcome.state === 'conflict') return undefined
  const cached = core.cache.get(key)
  if (cached?.revision === outcome.revision) return { bytes: servedBytes(resource, cached) }
  return serveObject({ ...stored, apiVersion: resource.apiVersion }, outcome.revision)
}

function dryRun(core: HubCore, resource: ServedResource, object: JsonObject): ServedObject {
  const { stored } = encodeStored(resource, object)
  if (core.cache.get(keyOfObject(resource, object)) !== undefined) {
    const name = textAt(objectAt(object, 'metadata'), 'name')
    throw alreadyExists(resource.definition.info, name, isTerminating(core, resource, object))
  }
  return serveObject({ ...stored, apiVersion: resource.apiVersion }, undefined)
}

/** The storage key of an object, from its own metadata. */
export function keyOfObject(resource: ServedResource, object: JsonObject): string {
  const metadata = objectAt(object, 'metadata')
  return objectKey(resource, textAt(metadata, 'namespace'), textAt(metadata, 'name'))
}

function isTerminating(core: HubCore, resource: ServedResource, object: JsonObject): boolean {
  const cached = core.cache.get(keyOfObject(resource, object))
  if (cached === undefined) return false
  return objectAt(core.parsed.read(cached), 'metadata')['deletionTimestamp'] !== undefined
}

/** Refuses objects in namespaces that do not exist (404) or end (403), and objects of a CRD that ends (403). */
function admitCreate(core: HubCore, resource: ServedResource, namespace: string, name: string): void {
  const { info } = resource.definition
  if (resource.terminating) {
    throw forbidden(info, name, 'create not allowed while custom resource definition is terminating')
  }
  if (!info.namespaced) return
  const found = core.cache.get(`${resourcePrefix('', 'namespaces')}/${namespace}`)
  if (found === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace)
  const isEnding = objectAt(core.parsed.read(found), 'metadata')['deletionTimestamp'] !== undefined
  if (!isEnding) return
  throw forbidden(info, name, `unable to create new content in namespace ${namespace} because it is being terminated`, [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ])
}

function generateName(core: HubCore, base: string): string {
  let name = base.slice(0, maxGeneratedNameLength - suffixLength)
  for (let index = 0; index < suffixLength; index++) {
    name += suffixAlphabet[Math.floor(core.random.next() * suffixAlphabet.length)] ?? 'x'
  }
  return name
}

function namesExhausted(resource: ServedResource, base: string): ApiError {
  const { info } = resource.definition
  return new ApiError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${info.plural} with generateName "${base}" already exists, the server was not able to generate a unique name for the object in ${maxNameAttempts} attempts; try again`,
    details: {
      name: base,
      ...(info.group === '' ? {} : { group: info.group }),
      kind: info.plural,
      retryAfterSeconds: 1,
    },
  })
}
