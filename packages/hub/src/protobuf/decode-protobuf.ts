import { ApiError, type Json, type JsonObject } from '@orrery/api'
import * as core from './core-messages.ts'
import { decodeMessage } from './decode-message.ts'
import { customResourceDefinition } from './extension-messages.ts'
import { type Message, message } from './message.ts'
import { deleteOptions } from './meta-messages.ts'
import * as reviews from './review-messages.ts'
import { ProtobufError, WireReader, wireType } from './wire.ts'

/** `k8s\0`: what every Kubernetes object in protobuf starts with. */
const magic = [0x6b, 0x38, 0x73, 0x00] as const

const typeMeta = message([1, 'apiVersion', 'string', 'always'], [2, 'kind', 'string', 'always'])
const kinds: ReadonlyMap<string, Message> = new Map([
  ['v1 Namespace', core.namespace],
  ['v1 Secret', core.secret],
  ['v1 ConfigMap', core.configMap],
  ['v1 Event', core.event],
  ['v1 ServiceAccount', core.serviceAccount],
  ['coordination.k8s.io/v1 Lease', core.lease],
  ['apiextensions.k8s.io/v1 CustomResourceDefinition', customResourceDefinition],
  ['authorization.k8s.io/v1 SelfSubjectAccessReview', reviews.selfSubjectAccessReview],
  ['authorization.k8s.io/v1 SelfSubjectRulesReview', reviews.selfSubjectRulesReview],
  ['authentication.k8s.io/v1 SelfSubjectReview', reviews.selfSubjectReview],
])

/** The type of a body, when the body itself does not say it. */
export interface ExpectedType {
  readonly apiVersion: string
  readonly kind: string
}

export interface DecodedProtobuf extends ExpectedType {
  /** The JSON form, with apiVersion and kind where the kind is known. */
  readonly value: JsonObject
}

/**
 * Decodes the Kubernetes protobuf envelope and the message in it to JSON. `expected` serves bodies with
 * an empty type. Throws {@link ProtobufError}.
 */
export function decodeProtobuf(bytes: Uint8Array, expected?: ExpectedType): DecodedProtobuf {
  if (magic.some((byte, index) => bytes[index] !== byte)) {
    throw new ProtobufError(
      `provided data does not appear to be a protobuf message, expected prefix [${magic.join(' ')}]`,
    )
  }
  const { type, raw } = openEnvelope(new WireReader(bytes, magic.length))
  const apiVersion = type.apiVersion === '' ? (expected?.apiVersion ?? '') : type.apiVersion
  const kind = type.kind === '' ? (expected?.kind ?? '') : type.kind
  const found = kind === 'DeleteOptions' ? deleteOptions : kinds.get(`${apiVersion} ${kind}`)
  if (found === undefined) {
    const name = kind === '' ? 'an object without kind' : `kind ${kind} of ${apiVersion}`
    throw new ProtobufError(`protobuf is not supported for ${name}; send application/json instead`)
  }
  return { apiVersion, kind, value: { apiVersion, kind, ...decodeMessage(new WireReader(raw), found) } }
}

/** {@link decodeProtobuf} for request bodies: the object itself. Throws `ApiError` 400. */
export function decodeProtobufObject(bytes: Uint8Array, expected?: ExpectedType): JsonObject {
  try {
    return decodeProtobuf(bytes, expected).value
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error
    const what = expected === undefined ? '' : ` (must be of type ${expected.kind})`
    throw new ApiError({
      code: 400,
      reason: 'BadRequest',
      message: `the object provided is unrecognized${what}: ${error.message}`,
      cause: error,
    })
  }
}

/** `runtime.Unknown`: the type, and the message of the object as bytes. */
function openEnvelope(reader: WireReader): { readonly type: ExpectedType; readonly raw: Uint8Array } {
  let type: ExpectedType = { apiVersion: '', kind: '' }
  let raw: Uint8Array = new Uint8Array()
  while (!reader.isAtEnd) {
    const { field, wire } = reader.tag()
    if (wire !== wireType.length || field > 4) reader.skip(wire)
    else if (field === 1) type = typeOf(decodeMessage(reader.message(), typeMeta))
    else if (field === 2) raw = reader.bytes()
    else checkContent(field === 3 ? 'encoding' : 'type', reader.string())
  }
  return { type, raw }
}

function checkContent(what: 'encoding' | 'type', value: string): void {
  if (value === '' || (what === 'type' && value === 'application/vnd.kubernetes.protobuf')) return
  throw new ProtobufError(`the content ${what} ${JSON.stringify(value)} inside a protobuf body is not supported`)
}

function typeOf(meta: JsonObject): ExpectedType {
  const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
  return { apiVersion: text(meta['apiVersion']), kind: text(meta['kind']) }
}
