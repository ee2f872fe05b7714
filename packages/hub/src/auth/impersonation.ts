import type { HttpHeaders } from '@orrery/api'
import { headerText } from '../http/body.ts'
import { badRequest, forbidden } from '../http/errors.ts'
import type { AccessAttributes, Authorizer, UserInfo } from './auth.ts'
import { anonymous, signedIn } from './authenticator.ts'

/** Each part is one authorization. */
const maxParts = 100
const extraPrefix = 'impersonate-extra-'
const serviceAccountPrefix = 'system:serviceaccount:'

/**
 * Who a request acts as. Without Impersonate headers that is the user itself; with them every part is
 * authorized separately. Throws 400 for headers that name nobody, 403 for a part that is not allowed.
 */
export async function actingUser(user: UserInfo, headers: HttpHeaders, authorizer: Authorizer): Promise<UserInfo> {
  const name = headers['impersonate-user']
  const uid = headerText(headers, 'impersonate-uid')
  const groupNames = listOf(headers['impersonate-group'])
  const extra = extraOf(headers)
  if (name === undefined) {
    if (groupNames.length === 0 && uid === '' && extra.length === 0) return user
    throw badRequest('requested impersonation of groups, a uid or extras without impersonating a user')
  }
  if (typeof name !== 'string' || name === '') throw badRequest('Impersonate-User must name one user')
  const parts = [
    userAttributes(name),
    ...groupNames.map((group) => attributes('', 'groups', group)),
    ...(uid === '' ? [] : [attributes('authentication.k8s.io', 'uids', uid)]),
    ...extra.map(([key, value]) => ({ ...attributes('authentication.k8s.io', 'userextras', value), subresource: key })),
  ]
  if (parts.length > maxParts) throw badRequest(`at most ${maxParts} impersonation headers`)
  for (const part of parts) {
    const { allowed } = await authorizer.authorize(user, part)
    if (!allowed) throw refused(user, part)
  }
  return impersonated({ name, uid, groupNames, extra })
}

type ResourceAttributes = Extract<AccessAttributes, { type: 'resource' }>

function attributes(group: string, resource: string, name: string, namespace = ''): ResourceAttributes {
  return { type: 'resource', verb: 'impersonate', group, version: 'v1', resource, subresource: '', namespace, name }
}

function userAttributes(name: string): ResourceAttributes {
  const account = serviceAccountOf(name)
  return account === undefined
    ? attributes('', 'users', name)
    : attributes('', 'serviceaccounts', account.name, account.namespace)
}

function serviceAccountOf(user: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!user.startsWith(serviceAccountPrefix)) return undefined
  const [namespace, name, ...rest] = user.slice(serviceAccountPrefix.length).split(':')
  if (namespace === undefined || name === undefined || namespace === '' || name === '' || rest.length > 0)
    return undefined
  return { namespace, name }
}

const listOf = (value: string | readonly string[] | undefined): readonly string[] => {
  if (value === undefined) return []
  return typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value
}

function extraOf(headers: HttpHeaders): readonly (readonly [string, string])[] {
  return Object.keys(headers).flatMap((header) => {
    if (!header.startsWith(extraPrefix)) return []
    const key = decodeKey(header.slice(extraPrefix.length))
    return listOf(headers[header]).map((value) => [key, value] as const)
  })
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text).toLowerCase()
  } catch (error) {
    throw badRequest('an Impersonate-Extra header has a broken escape in its name', error)
  }
}

function refused(user: UserInfo, part: ResourceAttributes): Error {
  const where = part.namespace === '' ? 'at the cluster scope' : `in the namespace "${part.namespace}"`
  const why = `User "${user.name}" cannot impersonate resource "${part.resource}" in API group "${part.group}" ${where}`
  return forbidden({ group: part.group, plural: part.resource }, part.name, why)
}

interface Parts {
  readonly name: string
  readonly uid: string
  readonly groupNames: readonly string[]
  readonly extra: readonly (readonly [string, string])[]
}

function impersonated({ name, uid, groupNames, extra }: Parts): UserInfo {
  if (name === anonymous.name) return groupNames.length === 0 ? anonymous : { name, groups: groupNames }
  const account = serviceAccountOf(name)
  const ofAccount =
    account === undefined || groupNames.length > 0
      ? []
      : ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`]
  const extras = Map.groupBy(extra, ([key]) => key)
  return signedIn({
    name,
    groups: [...groupNames, ...ofAccount],
    ...(uid === '' ? {} : { uid }),
    ...(extra.length === 0
      ? {}
      : { extra: Object.fromEntries([...extras].map(([key, values]) => [key, values.map(([, value]) => value)])) }),
  })
}
