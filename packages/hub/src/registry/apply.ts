import { ApiError, applyServerSide, type FieldConflict, formatTime, type JsonObject, PatchError } from '@orrery/api'
import type { CachedObject } from '../cache/cache.ts'
import { maxBodyBytes, parseText, readBody } from '../http/body.ts'
import { badRequest, conflict, invalid, requestTooLarge } from '../http/errors.ts'
import { type WriteOptions, writeOptions } from '../http/options.ts'
import type { HubCore, RegistryRequest, ServedObject } from './core.ts'
import { createObject } from './create.ts'
import { shapeObject, strictProblems, strictText, validateFields } from './decode.ts'
import { isObject, objectAt, textAt, without } from './json-access.ts'
import { mutableMetadata, resetFields } from './metadata-rules.ts'
import { refuseRounded } from './rounded.ts'
import { objectKey } from './served-resource.ts'
import { cloneObject } from './stored-form.ts'
import { nullErrors } from './typed-values.ts'
import { type Change, checkAddress, checkVersion, updateObject } from './update.ts'

/** PATCH with `application/apply-patch+yaml`: server-side apply, which creates what is missing. */
export async function applyFromBody(
  core: HubCore,
  request: RegistryRequest,
): Promise<{ readonly created: boolean; readonly object: ServedObject }> {
  const { resource, info, http, target } = request
  const options = writeOptions({ kind: 'PatchOptions', query: info.query, headers: http.headers, apply: true })
  const config = readConfig(core, request, options, await readBody(http))
  const key = objectKey(resource, target.namespace, target.name)
  const change = (live: JsonObject, cached: CachedObject) => applied({ core, request, options, config, live, cached })
  if (core.cache.get(key) !== undefined || target.subresource !== '') {
    return { created: false, object: await updateObject(core, request, { options, change, retry: true }) }
  }
  return createApplied({ core, request, options, config, change })
}

function readConfig(core: HubCore, request: RegistryRequest, options: WriteOptions, bytes: Uint8Array): JsonObject {
  const { resource, target } = request
  const { value, rounded, ...parsed } = parseText(bytes, 'yaml', 'error decoding YAML')
  refuseRounded(rounded, resource)
  const problems = strictProblems(parsed, [])
  const text = options.fieldValidation === 'Strict' ? strictText(problems) : undefined
  if (text !== undefined) throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${text}`)
  validateFields({ problems, level: options.fieldValidation, resource, warnings: request.warnings })
  const config = value === null ? {} : value
  if (!isObject(config)) throw badRequest('error decoding YAML: the applied configuration must be an object')
  const apiVersion = textAt(config, 'apiVersion')
  const kind = textAt(config, 'kind')
  if (apiVersion !== resource.apiVersion || kind !== resource.definition.info.kind) {
    throw badRequest(`invalid object type: ${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}`)
  }
  const metadata = { ...objectAt(config, 'metadata') }
  if (metadata['managedFields'] !== undefined) throw badRequest('metadata.managedFields must be nil')
  if (metadata['name'] === undefined || metadata['name'] === null) metadata['name'] = target.name
  checkAddress(request, metadata)
  const reset = resetFields(core, resource, target.subresource, config)
  return { ...without(config, ...reset), metadata }
}

interface AppliedInput {
  readonly core: HubCore
  readonly request: RegistryRequest
  readonly options: WriteOptions
  readonly config: JsonObject
  readonly live?: JsonObject
  readonly cached?: CachedObject
}

function applied({ core, request, options, config, live, cached }: AppliedInput): Change {
  const { resource, target } = request
  const { info, schema } = resource.definition
  const metadata = objectAt(config, 'metadata')
  if (cached !== undefined && textAt(metadata, 'resourceVersion') !== '') {
    checkVersion(resource, target.name, metadata, cached)
  }
  const outcome = asApiError(() =>
    applyServerSide({
      ...(live === undefined ? {} : { live }),
      config,
      schema,
      manager: options.fieldManager,
      apiVersion: resource.apiVersion,
      time: formatTime(core.clock.now()),
      force: options.force,
      resetFields: resetFields(core, resource, target.subresource, config),
      ...(target.subresource === '' ? {} : { subresource: target.subresource }),
    }),
  )
  if (outcome.state === 'conflict') throw applyConflict(outcome.conflicts)
  const { object, errors } = shapeObject(cloneObject(outcome.object), resource, request.warnings)
  const wanted = textAt(metadata, 'uid')
  const found = textAt(objectAt(live ?? {}, 'metadata'), 'uid')
  if (live !== undefined && wanted !== '' && wanted !== found) {
    const message = `Invalid value: ${JSON.stringify(wanted)}: field is immutable`
    throw invalid(info.group, info.kind, target.name, [{ path: 'metadata.uid', reason: 'FieldValueInvalid', message }])
  }
  const nulls = resource.definition.custom ? nullErrors(config, schema, '') : []
  return { object, shapeErrors: [...errors, ...nulls], tracked: true }
}

interface CreateAppliedInput {
  readonly core: HubCore
  readonly request: RegistryRequest
  readonly options: WriteOptions
  readonly config: JsonObject
  readonly change: (live: JsonObject, cached: CachedObject) => Change
}

async function createApplied({ core, request, options, config, change }: CreateAppliedInput) {
  const { resource, target } = request
  const metadata = objectAt(config, 'metadata')
  const uid = textAt(metadata, 'uid')
  if (uid !== '') {
    throw conflict(
      resource.definition.info,
      target.name,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    )
  }
  if (textAt(metadata, 'resourceVersion') !== '') throw conflict(resource.definition.info, target.name)
  const { object, shapeErrors } = applied({ core, request, options, config })
  mutableMetadata(object)
  try {
    const address = { ...request, target: { ...target, name: '' } }
    const created = await createObject(core, address, { object, shapeErrors, options, tracked: true })
    return { created: true, object: created }
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
    // Somebody created it in between; an apply then simply merges into what is there.
    return { created: false, object: await updateObject(core, request, { options, change, retry: true }) }
  }
}

function asApiError<T>(apply: () => T): T {
  try {
    return apply()
  } catch (error) {
    if (!(error instanceof PatchError)) throw error
    if (error.kind === 'too-large') throw requestTooLarge(maxBodyBytes)
    if (error.kind === 'malformed') throw badRequest(error.message, error)
    // Without details: with them kubectl would print the name of the object in place of this message.
    throw new ApiError({ code: 422, reason: 'Invalid', message: error.message, cause: error })
  }
}

/** 409 with one cause a field, in the words that kubectl prints. */
function applyConflict(conflicts: readonly FieldConflict[]): ApiError {
  const managers = new Map<string, string[]>()
  for (const found of conflicts) {
    const who = managerText(found)
    const paths = managers.get(who) ?? []
    managers.set(who, paths)
    paths.push(found.path)
  }
  const groups = [...managers].sort(([a], [b]) => (a < b ? -1 : 1))
  const one = conflicts.length === 1
  const list = one
    ? groups.map(([who, paths]) => `conflict with ${who}: ${paths.join('')}`).join('')
    : groups.map(([who, paths]) => `conflicts with ${who}:\n${paths.map((path) => `- ${path}`).join('\n')}`).join('\n')
  return new ApiError({
    code: 409,
    reason: 'Conflict',
    message: `Apply failed with ${conflicts.length} conflict${one ? '' : 's'}: ${list}`,
    details: {
      causes: conflicts.map((found) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${managerText(found)}`,
        field: found.path,
      })),
    },
  })
}

function managerText(found: FieldConflict): string {
  const subresource = found.subresource === undefined ? '' : ` with subresource "${found.subresource}"`
  const version = found.operation === 'Update' ? ` using ${found.apiVersion}` : ''
  return `"${found.manager}"${subresource}${version}`
}
