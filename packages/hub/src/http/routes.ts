import type { HttpRequest } from '@orrery/api'
import type { Authorizer, UserInfo } from '../auth/auth.ts'
import { answerReview, findReview } from '../auth/reviews.ts'
import { findResource } from '../registry/catalogue.ts'
import type { HubCore, RegistryRequest, ServedObject } from '../registry/core.ts'
import { createFromBody } from '../registry/create.ts'
import { deleteObject, readDeleteOptions, removedStatus } from '../registry/delete.ts'
import { deleteCollection } from '../registry/delete-collection.ts'
import { listOptions } from '../registry/list-options.ts'
import { patchFromBody } from '../registry/patch.ts'
import { getObject, listObjects } from '../registry/read.ts'
import { getScale, updateScale } from '../registry/scale.ts'
import type { ServedResource } from '../registry/served-resource.ts'
import { servedBytes } from '../registry/stored-form.ts'
import { includeObjectOf } from '../registry/table.ts'
import { updateFromBody } from '../registry/update.ts'
import { watchObjects } from '../registry/watch.ts'
import { type Answer, isPretty, listAnswer, objectAnswer, valueAnswer } from './answer.ts'
import { headerText } from './body.ts'
import { badRequest, methodNotAllowed, notFound, unknownPath } from './errors.ts'
import { chooseForm, choosePlainForm, defaultForm } from './negotiate.ts'
import { textParameter } from './query.ts'
import type { RequestInfo, ResourceTarget } from './request-info.ts'
import type { Warnings } from './warnings.ts'

export interface RouteInput {
  readonly core: HubCore
  readonly authorizer: Authorizer
  readonly http: HttpRequest
  readonly info: RequestInfo
  readonly target: ResourceTarget
  readonly user: UserInfo
  readonly warnings: Warnings
  readonly isStillAllowed: () => Promise<boolean>
}

/** Answers an authorized request for a resource. Throws `ApiError`. */
export async function routeResource(input: RouteInput): Promise<Answer> {
  const { core, http, info, target } = input
  const review = findReview(target)
  if (review !== undefined) {
    if (info.verb !== 'create' || target.name !== '') throw methodNotAllowed(review, info.verb, false)
    const form = choosePlainForm(headerText(http.headers, 'accept'))
    const { user, authorizer } = input
    const { decodeProtobuf } = core
    const answer = await answerReview({ info: review, request: http, user, authorizer, decodeProtobuf })
    return valueAnswer(201, answer, form, isPretty(form, info.query, http.headers))
  }
  const resource = findResource(core.catalogue(), target)
  if (resource === undefined) throw unknownPath()
  checkScope(info, target, resource)
  if (resource.deprecation !== undefined) input.warnings.add(resource.deprecation)
  const { user, warnings, isStillAllowed } = input
  // Storage keys of cluster-scoped objects have no namespace, also where the path of one names itself as such.
  const place = resource.definition.info.namespaced ? target : { ...target, namespace: '' }
  const request: RegistryRequest = { http, info, target: place, resource, user, warnings, isStillAllowed }
  if (target.subresource === '') return answerMain(core, request)
  return answerSubresource(core, request)
}

/** A namespaced object needs its namespace in the path, a cluster-scoped one must not have one. */
function checkScope(info: RequestInfo, target: ResourceTarget, resource: ServedResource): void {
  const { namespaced, plural, group } = resource.definition.info
  const isNamespaceItself = group === '' && plural === 'namespaces'
  if (!namespaced) {
    if (target.namespace !== '' && !isNamespaceItself) throw unknownPath()
    return
  }
  if (target.namespace !== '') return
  if (info.verb === 'list' || info.verb === 'watch') return
  if (resource.definition.custom || target.name !== '') throw unknownPath()
  throw methodNotAllowed(resource.definition.info, info.verb, false)
}

const acceptOf = (request: RegistryRequest) => headerText(request.http.headers, 'accept')
const kindOf = (request: RegistryRequest) => request.resource.definition.info.kind

async function answerMain(core: HubCore, request: RegistryRequest): Promise<Answer> {
  const { info, resource, target } = request
  const isWrite = info.verb === 'update' || info.verb === 'patch'
  if (isWrite && target.name === '') {
    // Custom resources say it in other words, as in Kubernetes.
    if (resource.definition.custom) throw badRequest('name must be provided')
    throw methodNotAllowed(resource.definition.info, info.verb, false)
  }
  const accept = acceptOf(request)
  switch (info.verb) {
    case 'get': {
      const form = chooseForm(accept, 'object', kindOf(request))
      const cached = await getObject(core, request)
      return objectAnswer(core, request, { status: 200, object: { bytes: servedBytes(resource, cached) }, form })
    }
    case 'list': {
      const form = chooseForm(accept, 'list', resource.listKind)
      const options = listOptions(info.query, request.target, resource, false)
      return listAnswer(core, request, await listObjects(core, resource, options), form)
    }
    case 'watch':
      return answerWatch(core, request)
    case 'create': {
      const form = chooseForm(accept, 'object', kindOf(request))
      return objectAnswer(core, request, { status: 201, object: await createFromBody(core, request), form })
    }
    case 'update':
      return answerWrite(core, request, updateFromBody)
    case 'patch':
      return answerWrite(core, request, patchFromBody)
    case 'delete':
      return answerDelete(core, request)
    case 'deletecollection': {
      if (isNamespaces(resource)) throw methodNotAllowed(resource.definition.info, info.verb, false)
      const form = chooseForm(accept, 'list', resource.listKind)
      const options = listOptions(info.query, request.target, resource, false)
      return deleteCollection(core, request, options, form)
    }
    default:
      throw methodNotAllowed(resource.definition.info, '', resource.definition.custom)
  }
}

const isNamespaces = ({ definition: { info } }: ServedResource) => info.group === '' && info.plural === 'namespaces'

function answerWatch(core: HubCore, request: RegistryRequest): Answer {
  const { info, resource } = request
  const form = chooseForm(acceptOf(request), 'watch', kindOf(request))
  const options = listOptions(info.query, request.target, resource, true)
  const include = includeObjectOf(textParameter(info.query, 'includeObject'))
  const body = watchObjects(core, request, { options, form, include })
  return { status: 200, headers: { 'content-type': 'application/json' }, body }
}

type Write = (core: HubCore, request: RegistryRequest) => Promise<{ created: boolean; object: ServedObject }>

async function answerWrite(core: HubCore, request: RegistryRequest, write: Write): Promise<Answer> {
  const form = chooseForm(acceptOf(request), 'object', kindOf(request))
  const { created, object } = await write(core, request)
  return objectAnswer(core, request, { status: created ? 201 : 200, object, form })
}

async function answerDelete(core: HubCore, request: RegistryRequest): Promise<Answer> {
  const { resource } = request
  const form = chooseForm(acceptOf(request), 'object', kindOf(request))
  const { namespace, name } = request.target
  const options = await readDeleteOptions(core, request)
  const outcome = await deleteObject(core, { resource, namespace, name }, options)
  if (outcome.state === 'terminating' || isNamespaces(resource)) {
    return objectAnswer(core, request, { status: 200, object: outcome.object, form })
  }
  const object = removedStatus(resource, name, outcome.uid)
  return objectAnswer(core, request, { status: 200, object, form: { ...defaultForm, format: form.format } })
}

async function answerSubresource(core: HubCore, request: RegistryRequest): Promise<Answer> {
  const { info, target, resource } = request
  const { definition } = resource
  const { subresource } = target
  const isServed =
    (subresource === 'status' && definition.status) ||
    (subresource === 'scale' && definition.scale !== undefined) ||
    (subresource === 'finalize' && isNamespaces(resource))
  if (!isServed) throw definition.custom ? notFound(definition.info, target.name) : unknownPath()
  const accept = acceptOf(request)
  if (info.verb === 'get' && subresource !== 'finalize') {
    const form = chooseForm(accept, 'object', kindOf(request))
    const object =
      subresource === 'scale'
        ? await getScale(core, request)
        : { bytes: servedBytes(resource, await getObject(core, request)) }
    return objectAnswer(core, request, { status: 200, object, form })
  }
  if (info.verb !== 'update' && (info.verb !== 'patch' || subresource === 'finalize')) {
    throw methodNotAllowed(definition.info, info.verb, definition.custom)
  }
  if (subresource !== 'scale')
    return answerWrite(core, request, info.verb === 'update' ? updateFromBody : patchFromBody)
  const form = chooseForm(accept, 'object', 'Scale')
  return objectAnswer(core, request, { status: 200, object: await updateScale(core, request), form })
}
