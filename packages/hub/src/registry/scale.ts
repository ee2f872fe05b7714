import { ApiError, type FieldError, type JsonObject, stringifyJson } from '@orrery/api'
import type { CachedObject } from '../cache/cache.ts'
import { contentTypeOf, mediaTypes, parseText, readBody } from '../http/body.ts'
import { badRequest, conflict, invalid, invalidPatch, unsupportedMediaType } from '../http/errors.ts'
import { writeOptions } from '../http/options.ts'
import type { HubCore, RegistryRequest, ServedObject } from './core.ts'
import { isObject, numberAt, objectAt, textAt, valueAtPath, withValueAtPath } from './json-access.ts'
import { parseStored } from './parsed-objects.ts'
import { readPatch, runPatch } from './patch.ts'
import { getObject } from './read.ts'
import { cloneObject, readObject } from './stored-form.ts'
import { type Change, updateObject } from './update.ts'

/** Of `autoscaling/v1 Scale`. */
const maxReplicas = 2_147_483_647
/** Of a patched Scale in an error message; the client has the rest. */
const maxShownScale = 2048

/** GET on `/scale`. */
export async function getScale(core: HubCore, request: RegistryRequest): Promise<ServedObject> {
  const cached = await getObject(core, request)
  const scale = scaleOf(request, readObject(core, request.resource, cached), cached.revision)
  return { bytes: Buffer.from(stringifyJson(scale)) }
}

/** PUT or PATCH on `/scale`: writes the replicas field of the object. */
export async function updateScale(core: HubCore, request: RegistryRequest): Promise<ServedObject> {
  const { resource, info, http, target } = request
  const isPut = info.verb === 'update'
  const options = writeOptions({
    kind: isPut ? 'UpdateOptions' : 'PatchOptions',
    query: info.query,
    headers: http.headers,
  })
  const bytes = await readBody(http)
  const wanted = isPut ? putScale(request, bytes) : patchScale(request, bytes)
  const { specReplicasPath } = scalePaths(request)
  const change = (live: JsonObject, cached: CachedObject): Change => {
    const scale = wanted(live, cached)
    const version = textAt(objectAt(scale, 'metadata'), 'resourceVersion')
    if (version !== '' && version !== String(cached.revision)) throw conflict(resource.definition.info, target.name)
    const replicas = checkScale(request, scale, isPut)
    const object = withValueAtPath(live, specReplicasPath, replicas)
    return { object: cloneObject(object), shapeErrors: [], tracked: false }
  }
  const written = await updateObject(
    core,
    { ...request, target: { ...target, subresource: 'scale' } },
    { options, change, retry: true },
  )
  const object = parseStored(written.bytes)
  const revision = Number(textAt(objectAt(object, 'metadata'), 'resourceVersion'))
  return { bytes: Buffer.from(stringifyJson(scaleOf(request, object, revision))) }
}

type WantedScale = (live: JsonObject, cached: CachedObject) => JsonObject

function putScale(request: RegistryRequest, bytes: Uint8Array): WantedScale {
  const contentType = contentTypeOf(request.http.headers)
  const format = contentType === mediaTypes.json ? 'json' : contentType === mediaTypes.yaml ? 'yaml' : undefined
  if (format === undefined) throw unsupportedMediaType([mediaTypes.json, mediaTypes.yaml])
  const { value } = parseText(bytes, format, 'the object provided is unrecognized (must be of type Scale)')
  if (!isObject(value)) throw badRequest('the body must be a Scale')
  return () => value
}

function patchScale(request: RegistryRequest, bytes: Uint8Array): WantedScale {
  const contentType = contentTypeOf(request.http.headers)
  const type =
    contentType === mediaTypes.jsonPatch ? 'json' : contentType === mediaTypes.mergePatch ? 'merge' : undefined
  if (type === undefined) throw unsupportedMediaType([mediaTypes.jsonPatch, mediaTypes.mergePatch])
  const { patch } = readPatch(type, bytes)
  return (live, cached) => {
    const patched = runPatch(type, scaleOf(request, live, cached.revision), patch, request.resource)
    if (!isObject(patched)) throw badRequest('the patched object is not a Scale')
    return patched
  }
}

function checkScale(request: RegistryRequest, scale: JsonObject, isPut: boolean): number {
  const { target, resource } = request
  const { info } = resource.definition
  const type = `${textAt(scale, 'apiVersion')} ${textAt(scale, 'kind')}`
  if (type !== ' ' && type !== 'autoscaling/v1 Scale')
    throw badRequest(`the body must be an autoscaling/v1 Scale, not ${type}`)
  const name = textAt(objectAt(scale, 'metadata'), 'name')
  if (name !== '' && name !== target.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`)
  }
  const replicas = objectAt(scale, 'spec')['replicas'] ?? 0
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas > maxReplicas) {
    const detail = `spec.replicas must be an integer of at most ${maxReplicas}`
    throw isPut ? badRequest(detail) : invalidPatch(stringifyJson(scale).slice(0, maxShownScale), detail)
  }
  if (replicas >= 0) return replicas
  const error: FieldError = {
    path: scalePaths(request).specReplicasPath,
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${replicas}: should be a non-negative integer`,
  }
  throw invalid(info.group, info.kind, target.name, [error])
}

function scalePaths(request: RegistryRequest) {
  const { scale, info } = request.resource.definition
  if (scale === undefined) throw new Error(`${info.plural} has no scale subresource, routing let it through`)
  return scale
}

function scaleOf(request: RegistryRequest, object: JsonObject, revision: number): JsonObject {
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scalePaths(request)
  const metadata = objectAt(object, 'metadata')
  const replicas = valueAtPath(object, specReplicasPath)
  if (typeof replicas !== 'number') {
    throw new ApiError({
      code: 404,
      reason: 'NotFound',
      message: `the spec replicas field "${specReplicasPath}" does not exist; set it on the object first`,
      details: { name: textAt(metadata, 'name'), kind: request.resource.definition.info.plural },
    })
  }
  const selector = labelSelectorPath === undefined ? undefined : valueAtPath(object, labelSelectorPath)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name: textAt(metadata, 'name'),
      ...(metadata['namespace'] === undefined ? {} : { namespace: metadata['namespace'] }),
      uid: textAt(metadata, 'uid'),
      resourceVersion: String(revision),
      creationTimestamp: textAt(metadata, 'creationTimestamp'),
    },
    spec: { replicas },
    status: {
      replicas: numberAt({ value: valueAtPath(object, statusReplicasPath) ?? 0 }, 'value') ?? 0,
      ...(typeof selector === 'string' && selector !== '' ? { selector } : {}),
    },
  }
}
