import { ApiError, type FieldError, type Json, type JsonObject, type ParsedJson } from '@orrery/api'
import { contentTypeOf, mediaTypes, parseText } from '../http/body.ts'
import { badRequest, invalid, unsupportedMediaType } from '../http/errors.ts'
import type { FieldValidation } from '../http/options.ts'
import type { Warnings } from '../http/warnings.ts'
import { isObject, type MutableObject, objectAt, textAt } from './json-access.ts'
import { dedupeOwners } from './metadata-rules.ts'
import { decodeMetadata } from './object-meta.ts'
import { refuseRounded } from './rounded.ts'
import type { ServedResource } from './served-resource.ts'
import { decodeTyped } from './typed-values.ts'

/** Decodes the Kubernetes protobuf envelope of a known kind to its JSON form. `expected` serves bodies without a type. Throws `ApiError` 400. */
export type ProtobufDecoder = (
  bytes: Uint8Array,
  expected?: { readonly apiVersion: string; readonly kind: string },
) => JsonObject

/** A request body as a value, before it is known to be an object of the right kind. */
export type BodyValue = Pick<ParsedJson, 'value' | 'duplicates' | 'duplicateLines'>

interface DecodeInput {
  readonly bytes: Uint8Array
  readonly headers: Parameters<typeof contentTypeOf>[0]
  readonly resource: ServedResource
  readonly decodeProtobuf: ProtobufDecoder
}

const acceptedTypes = [mediaTypes.json, mediaTypes.yaml, mediaTypes.protobuf]

/** Parses the body of a create or update. Throws 400, 413 or 415. */
export function decodeBody({ bytes, headers, resource, decodeProtobuf }: DecodeInput): BodyValue {
  const { kind } = resource.definition.info
  const contentType = contentTypeOf(headers)
  const unrecognized = `the object provided is unrecognized (must be of type ${kind})`
  if (contentType === mediaTypes.protobuf && !resource.definition.custom) {
    return { value: decodeProtobuf(bytes, { apiVersion: resource.apiVersion, kind }), duplicates: [] }
  }
  const format = contentType === mediaTypes.json ? 'json' : contentType === mediaTypes.yaml ? 'yaml' : undefined
  if (format === undefined) {
    throw unsupportedMediaType(resource.definition.custom ? acceptedTypes.slice(0, 2) : acceptedTypes)
  }
  const parseError = `${unrecognized}: couldn't get version/kind; ${format} parse error`
  if (bytes.length === 0) throw badRequest(`${parseError}: unexpected end of JSON input (<empty>)`)
  const parsed = parseText(bytes, format, parseError)
  refuseRounded(parsed.rounded, resource)
  return parsed
}

/** An object that fits the structure of its kind, owned by the caller. */
export interface ShapedObject {
  readonly object: MutableObject
  /** Paths of fields that the kind does not have; they were dropped. */
  readonly unknown: readonly string[]
  /** What the schema of a built-in kind refuses; custom resources are validated later, against the live object. */
  readonly errors: readonly FieldError[]
}

/**
 * Checks apiVersion and kind, decodes metadata, prunes unknown fields and fills defaults. The value must
 * be fresh from a parser: it is changed. Throws 400, or 422 for a foreign kind of custom resource.
 */
export function shapeObject(value: Json, resource: ServedResource, warnings: Warnings): ShapedObject {
  const { definition, apiVersion, schema } = resource
  const { info, custom } = definition
  const source = value === null && !custom ? {} : value
  if (!isObject(source)) throw badRequest(`${typedText(resource)}: the body must be an object`)
  checkType(source, resource)
  const { metadata, unknown } = withPrefix(resource, () => decodeMetadata(source['metadata']))
  dedupeOwners(metadata, warnings)
  const object: MutableObject = { apiVersion, kind: info.kind, metadata }
  for (const [key, member] of Object.entries(source)) {
    if (key === 'apiVersion' || key === 'kind' || key === 'metadata') continue
    Object.defineProperty(object, key, { value: member, enumerable: true, writable: true, configurable: true })
  }
  const fault = custom ? undefined : decodeTyped(object, definition.schema)
  if (fault !== undefined) throw badRequest(`${typedText(resource)}: ${fault}`)
  const pruned = schema.prune(object)
  schema.applyDefaults(object)
  const errors = custom ? [] : schema.validate(object)
  const wrongType = errors.find((error) => error.reason === 'FieldValueTypeInvalid')
  if (wrongType !== undefined) throw badRequest(`${typedText(resource)}: ${wrongType.path}: ${wrongType.message}`)
  return { object, unknown: [...pruned, ...unknown].sort(), errors }
}

const typedText = ({ definition: { info } }: ServedResource) =>
  `${info.kind} in version "${info.version}" cannot be handled as a ${info.kind}`

function withPrefix<T>(resource: ServedResource, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    throw badRequest(`${typedText(resource)}: ${error.message}`, error)
  }
}

function checkType(source: JsonObject, resource: ServedResource): void {
  const { info, custom } = resource.definition
  const apiVersion = textAt(source, 'apiVersion')
  const kind = textAt(source, 'kind')
  if (custom) {
    if (kind === '') {
      throw badRequest(`the object provided is unrecognized (must be of type ${info.kind}): Object 'Kind' is missing`)
    }
    if (apiVersion !== resource.apiVersion) {
      throw badRequest(
        `the API version in the data (${apiVersion}) does not match the expected API version (${resource.apiVersion})`,
      )
    }
    if (kind !== info.kind) {
      const message = `Invalid value: ${JSON.stringify(kind)}: must be ${info.kind}`
      const name = textAt(objectAt(source, 'metadata'), 'name')
      throw invalid(info.group, kind, name, [{ path: 'kind', reason: 'FieldValueInvalid', message }])
    }
    return
  }
  const givenVersion = apiVersion === '' ? resource.apiVersion : apiVersion
  const givenKind = kind === '' ? info.kind : kind
  if (givenVersion === resource.apiVersion && givenKind === info.kind) return
  const why =
    givenKind === info.kind
      ? `no kind "${givenKind}" is registered for version "${givenVersion}" in scheme "pkg/runtime/scheme.go:111"`
      : `converting (${givenVersion}.${givenKind}) to (${resource.apiVersion}.${info.kind}): unknown conversion`
  throw badRequest(`${givenKind} in version "${givenVersion}" cannot be handled as a ${info.kind}: ${why}`)
}

/** What strict decoding finds. */
export interface StrictProblems {
  /** Keys that stand twice in YAML, in the words of its parser: `line 6: key "a" already set in map`. */
  readonly yaml: readonly string[]
  readonly fields: readonly string[]
}

/** In Kubernetes' words: keys that the parser saw twice, fields that the kind does not have. */
export function strictProblems(parsed: ParsedKeys, unknown: readonly string[]): StrictProblems {
  const { duplicates, duplicateLines } = parsed
  const twice = duplicateLines === undefined ? duplicates.map((path) => `duplicate field "${path}"`) : []
  return { yaml: duplicateLines ?? [], fields: [...twice, ...unknown.map((path) => `unknown field "${path}"`)] }
}

type ParsedKeys = Pick<ParsedJson, 'duplicates' | 'duplicateLines'>

/** All problems as one sentence; undefined when there are none. */
export function strictText({ yaml, fields }: StrictProblems): string | undefined {
  if (yaml.length === 0 && fields.length === 0) return undefined
  const lines = yaml.length === 0 ? [] : [`yaml: unmarshal errors:\n  ${yaml.join('\n  ')}`]
  return [...lines, ...fields].join(', ')
}

interface FieldValidationInput {
  readonly problems: StrictProblems
  readonly level: FieldValidation
  readonly resource: ServedResource
  readonly warnings: Warnings
}

/** Refuses (400), warns of, or ignores what strict decoding found, as the request asks. */
export function validateFields({ problems, level, resource, warnings }: FieldValidationInput): void {
  const text = strictText(problems)
  if (text === undefined || level === 'Ignore') return
  if (level === 'Strict') throw badRequest(`${typedText(resource)}: strict decoding error: ${text}`)
  for (const problem of [...problems.yaml, ...problems.fields]) warnings.add(problem)
}
