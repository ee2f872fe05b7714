import {
  ApiError,
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMerge,
  type Json,
  type JsonObject,
  PatchError,
  stringifyJson,
} from '@orrery/api'
import type { CachedObject } from '../cache/cache.ts'
import { contentTypeOf, mediaTypes, parseText, readBody } from '../http/body.ts'
import { badRequest, inapplicablePatch, invalid, invalidPatch, unsupportedMediaType } from '../http/errors.ts'
import { type WriteOptions, writeOptions } from '../http/options.ts'
import { applyFromBody } from './apply.ts'
import type { HubCore, RegistryRequest, ServedObject } from './core.ts'
import { shapeObject, strictProblems, strictText, validateFields } from './decode.ts'
import { isList, isObject, mutableCopy, objectAt, textAt } from './json-access.ts'
import { mutableMetadata } from './metadata-rules.ts'
import { refuseRounded } from './rounded.ts'
import type { ServedResource } from './served-resource.ts'
import { cloneObject, withResourceVersion } from './stored-form.ts'
import { type Change, checkAddress, checkVersion, updateObject } from './update.ts'

/** As kube-apiserver: bounds the work that one small patch can cause. */
const maxJsonPatchOperations = 10_000

type PatchType = 'json' | 'merge' | 'strategic'

/** PATCH on an object or its `status`. */
export async function patchFromBody(
  core: HubCore,
  request: RegistryRequest,
): Promise<{ readonly created: boolean; readonly object: ServedObject }> {
  const { resource, info, http } = request
  const contentType = contentTypeOf(http.headers)
  if (contentType === mediaTypes.applyPatch) return applyFromBody(core, request)
  const type = patchTypeOf(contentType, resource)
  const options = writeOptions({ kind: 'PatchOptions', query: info.query, headers: http.headers })
  const { patch, duplicates, rounded } = readPatch(type, await readBody(http))
  refuseRounded(rounded, resource)
  const change = (live: JsonObject, cached: CachedObject) =>
    patchedChange({ request, options, type, patch, duplicates, live, cached })
  return { created: false, object: await updateObject(core, request, { options, change, retry: true }) }
}

function patchTypeOf(contentType: string, resource: ServedResource): PatchType {
  if (contentType === mediaTypes.jsonPatch) return 'json'
  if (contentType === mediaTypes.mergePatch) return 'merge'
  if (contentType === mediaTypes.strategicMergePatch && !resource.definition.custom) return 'strategic'
  const { jsonPatch, mergePatch, applyPatch } = mediaTypes
  if (resource.definition.custom) throw unsupportedMediaType([jsonPatch, mergePatch, applyPatch])
  throw new ApiError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: '415: Unsupported Media Type',
    details: {},
  })
}

interface ReadPatch {
  readonly patch: Json
  readonly duplicates: readonly string[]
  /** Paths of integers that the patch could not hold exactly; in a JSON patch they are those of its operations. */
  readonly rounded: readonly string[] | undefined
}

/** Parses a patch document and checks its outer shape. Throws 400 or 413. */
export function readPatch(type: PatchType, bytes: Uint8Array): ReadPatch {
  const { value, duplicates, rounded } = parseText(bytes, 'json', 'error decoding patch')
  if (type !== 'json') {
    if (isObject(value)) return { patch: value, duplicates, rounded }
    throw badRequest(
      'error decoding patch: json: cannot unmarshal the patch into Go value of type map[string]interface {}',
    )
  }
  if (!isList(value))
    throw badRequest('error decoding patch: json: cannot unmarshal the patch into Go value of type jsonpatch.Patch')
  if (value.length > maxJsonPatchOperations) {
    throw new ApiError({
      code: 413,
      reason: 'RequestEntityTooLarge',
      message: `Request entity too large: The allowed maximum operations in a JSON patch is ${maxJsonPatchOperations}, got ${value.length}`,
    })
  }
  return { patch: value, duplicates, rounded }
}

/** Runs one patch on a document. Throws `ApiError` 400, 413 or 422; the document is not changed. */
export function runPatch(type: PatchType, document: JsonObject, patch: Json, resource: ServedResource): Json {
  try {
    switch (type) {
      case 'json':
        return applyJsonPatch(document, patch)
      case 'merge':
        return applyMergePatch(document, patch)
      case 'strategic':
        return applyStrategicMerge(document, isObject(patch) ? patch : {}, resource.definition.schema)
    }
  } catch (error) {
    if (!(error instanceof PatchError)) throw error
    if (error.kind === 'malformed') throw badRequest(`error decoding patch: ${error.message}`, error)
    if (error.kind === 'too-large' && type !== 'json') throw badRequest(error.message, error)
    throw inapplicablePatch(error)
  }
}

interface PatchedInput {
  readonly request: RegistryRequest
  readonly options: WriteOptions
  readonly type: PatchType
  readonly patch: Json
  readonly duplicates: readonly string[]
  readonly live: JsonObject
  readonly cached: CachedObject
}

function patchedChange(input: PatchedInput): Change {
  const { request, options, type, patch, duplicates, live, cached } = input
  const { resource, target, warnings } = request
  const document = withResourceVersion(live, cached.revision)
  const patched = runPatch(type, document, patch, resource)
  const { object, unknown, errors } = shapePatched(patched, request)
  const problems = strictProblems({ duplicates }, unknown)
  const text = options.fieldValidation === 'Strict' ? strictText(problems) : undefined
  if (text !== undefined) {
    throw invalidPatch(stringifyForError(patched, resource), `strict decoding error: ${text}`)
  }
  validateFields({ problems, level: options.fieldValidation, resource, warnings })
  const metadata = mutableMetadata(object)
  checkAddress(request, metadata)
  checkVersion(resource, target.name, metadata, cached)
  return { object, shapeErrors: errors, tracked: false }
}

/** The result of a patch must still be an object of the kind: 422 on the field `patch`, as Kubernetes has it. */
function shapePatched(patched: Json, request: RegistryRequest) {
  const { resource, target } = request
  if (!isObject(patched)) throw invalidPatch(stringifyForError(patched, resource), 'the result is not an object')
  checkPatchedType(patched, resource, target.name)
  try {
    return shapeObject(cloneObject(patched), resource, request.warnings)
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 400) throw error
    throw invalidPatch(stringifyForError(patched, resource), error.message)
  }
}

function checkPatchedType(patched: JsonObject, resource: ServedResource, name: string): void {
  const { info, custom } = resource.definition
  if (!custom) return
  const wrong = [
    { path: 'apiVersion', wanted: resource.apiVersion },
    { path: 'kind', wanted: info.kind },
  ].filter(({ path, wanted }) => patched[path] !== wanted)
  if (wrong.length === 0) return
  const errors = wrong.map(({ path, wanted }) => ({
    path,
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(textAt(patched, path))}: must be ${wanted}`,
  }))
  throw invalid(info.group, info.kind, name, errors)
}

/** Kubernetes repeats the whole object in the error; of Secrets we show nothing but the name. */
function stringifyForError(patched: Json, resource: ServedResource): string {
  if (!isObject(patched)) return stringifyJson(patched)
  const { info } = resource.definition
  if (info.group !== '' || info.plural !== 'secrets') return stringifyJson(patched).slice(0, maxShownPatch)
  const { name, namespace } = mutableCopy(objectAt(patched, 'metadata'))
  return stringifyJson({ kind: info.kind, metadata: { name, namespace }, data: '<secret contents redacted>' })
}

/** Of a patched object in an error message; the client has the rest. */
const maxShownPatch = 2048
