import type { FieldError, HttpRequest, JsonObject, ResourceInfo } from '@orrery/api'
import { reviewDefinitions } from '../builtin/reviews.ts'
import { contentTypeOf, mediaTypes, parseText, readBody } from '../http/body.ts'
import { badRequest, invalid, unsupportedMediaType } from '../http/errors.ts'
import type { ProtobufDecoder } from '../registry/decode.ts'
import { isObject, objectAt, textAt } from '../registry/json-access.ts'
import type { AccessAttributes, Authorizer, UserInfo } from './auth.ts'

/** Create-only resources that answer a question about access; nothing of them is stored. */
export const reviewResources: readonly ResourceInfo[] = reviewDefinitions.map((definition) => definition.info)

/** The review resource at an address, or undefined. */
export function findReview(target: { readonly group: string; readonly version: string; readonly resource: string }) {
  return reviewResources.find(
    (info) => info.group === target.group && info.version === target.version && info.plural === target.resource,
  )
}

export interface ReviewInput {
  readonly info: ResourceInfo
  readonly request: HttpRequest
  readonly user: UserInfo
  readonly authorizer: Authorizer
  readonly decodeProtobuf: ProtobufDecoder
}

/** Answers a review about the user who asks. Throws 400, 415 or 422. */
export async function answerReview(input: ReviewInput): Promise<JsonObject> {
  const { info, user, authorizer } = input
  const body = await readReview(input)
  const spec = objectAt(body, 'spec')
  const base = { kind: info.kind, apiVersion: `${info.group}/${info.version}`, metadata: objectAt(body, 'metadata') }
  if (info.kind === 'SelfSubjectReview') return { ...base, status: { userInfo: userInfoOf(user) } }
  if (info.kind === 'SelfSubjectRulesReview') {
    const namespace = textAt(spec, 'namespace')
    if (namespace === '') throw badRequest('no namespace on request')
    const rules = await authorizer.rulesFor(user, namespace)
    return { ...base, spec, status: JSON.parse(JSON.stringify(rules)) }
  }
  const { allowed, reason } = await authorizer.authorize(user, attributesOf(info, spec))
  return { ...base, spec, status: { allowed, ...(reason === '' ? {} : { reason }) } }
}

async function readReview({ info, request, decodeProtobuf }: ReviewInput): Promise<JsonObject> {
  const bytes = await readBody(request)
  const contentType = contentTypeOf(request.headers)
  const format = contentType === mediaTypes.json ? 'json' : contentType === mediaTypes.yaml ? 'yaml' : undefined
  if (contentType === mediaTypes.protobuf)
    return checked(info, decodeProtobuf(bytes, { apiVersion: `${info.group}/${info.version}`, kind: info.kind }))
  if (format === undefined) throw unsupportedMediaType([mediaTypes.json, mediaTypes.yaml, mediaTypes.protobuf])
  const { value } = parseText(bytes, format, `the object provided is unrecognized (must be of type ${info.kind})`)
  if (!isObject(value)) throw badRequest(`the body must be a ${info.kind}`)
  return checked(info, value)
}

function checked(info: ResourceInfo, body: JsonObject): JsonObject {
  const kind = textAt(body, 'kind')
  const apiVersion = textAt(body, 'apiVersion')
  const isRight =
    (kind === '' || kind === info.kind) && (apiVersion === '' || apiVersion === `${info.group}/${info.version}`)
  if (!isRight) throw badRequest(`${kind} in version "${apiVersion}" cannot be handled as a ${info.kind}`)
  return body
}

function attributesOf(info: ResourceInfo, spec: JsonObject): AccessAttributes {
  const resource = spec['resourceAttributes']
  const path = spec['nonResourceAttributes']
  if (isObject(resource) === isObject(path)) {
    const error: FieldError = {
      path: 'spec.resourceAttributes',
      reason: 'FieldValueInvalid',
      message: 'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
    }
    throw invalid(info.group, '', '', [error])
  }
  if (isObject(path)) return { type: 'path', verb: textAt(path, 'verb'), path: textAt(path, 'path') }
  const attributes = isObject(resource) ? resource : {}
  return {
    type: 'resource',
    verb: textAt(attributes, 'verb'),
    group: textAt(attributes, 'group'),
    version: textAt(attributes, 'version'),
    resource: textAt(attributes, 'resource'),
    subresource: textAt(attributes, 'subresource'),
    namespace: textAt(attributes, 'namespace'),
    name: textAt(attributes, 'name'),
  }
}

function userInfoOf({ name, uid, groups, extra }: UserInfo): JsonObject {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  }
}
