import { parseJson, stringifyJson } from '@orrery/api'
import type { CachedObject, CacheListResult } from '../cache/cache.ts'
import { badRequest, expired, notFound, tooLargeResourceVersion } from '../http/errors.ts'
import { textParameter } from '../http/query.ts'
import { revision, StoreError } from '../store/store.ts'
import type { HubCore, RegistryRequest } from './core.ts'
import { isObject, textAt } from './json-access.ts'
import { type ListOptions, parseVersion } from './list-options.ts'
import { objectKey, type ServedResource } from './served-resource.ts'

/** As kube-apiserver: how long a read waits for a version that it has not seen. */
const freshnessWaitMs = 3000

/** GET of one object. Throws 400, 404 or 504. */
export async function getObject(core: HubCore, request: RegistryRequest): Promise<CachedObject> {
  const { resource, target, info } = request
  const text = textParameter(info.query, 'resourceVersion')
  if (text === '') await core.settleReads()
  else if (text !== '0') await waitFor(core, parseVersion(text))
  const cached = core.cache.get(objectKey(resource, target.namespace, target.name))
  if (cached === undefined) throw notFound(resource.definition.info, target.name)
  return cached
}

/** Waits until the cache shows a revision. Throws 504 when it does not come. */
export async function waitFor(core: HubCore, wanted: number): Promise<void> {
  if (wanted <= core.cache.revision) return
  try {
    await core.cache.waitFor(revision(wanted), freshnessWaitMs)
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'future') throw error
    throw tooLargeResourceVersion(wanted, core.cache.revision)
  }
}

/** One page of a list, with the token of the next. */
export interface Page {
  readonly items: readonly CachedObject[]
  readonly revision: number
  /** Empty on the last page. */
  readonly continue: string
  readonly remaining: number | undefined
}

/** A list or a page of it. Throws 400, 410 or 504. */
export async function listObjects(core: HubCore, resource: ServedResource, options: ListOptions): Promise<Page> {
  const { match, limit } = options
  const scope = `${resource.prefix}${match.namespace ?? '*'}`
  const token = options.continue === '' ? undefined : readToken(options, scope)
  const at = token === undefined ? await snapshotOf(core, options) : token.revision
  // kube-apiserver's cache ignores the limit of "any version" reads; clients count on a complete answer.
  const pageLimit = options.resourceVersion === 0 && token === undefined ? undefined : limit
  const result = await readPage(core, resource, { at, after: token?.after, limit: pageLimit, options, scope })
  const next = result.next === undefined ? '' : writeToken({ revision: result.revision, after: result.next, scope })
  return {
    items: result.items,
    revision: result.revision,
    continue: next,
    remaining: next === '' || options.hasSelector ? undefined : result.remaining,
  }
}

/** Undefined reads the newest state. */
async function snapshotOf(core: HubCore, options: ListOptions): Promise<number | undefined> {
  const { resourceVersion, resourceVersionMatch, limit } = options
  if (resourceVersion === undefined) await core.settleReads()
  if (resourceVersion === undefined || resourceVersion === 0) return undefined
  await waitFor(core, resourceVersion)
  const exact = resourceVersionMatch === 'Exact' || (resourceVersionMatch === '' && limit !== undefined)
  return exact ? resourceVersion : undefined
}

interface PageRequest {
  readonly at: number | undefined
  readonly after: string | undefined
  readonly limit: number | undefined
  readonly options: ListOptions
  readonly scope: string
}

async function readPage(core: HubCore, resource: ServedResource, page: PageRequest): Promise<CacheListResult> {
  const { at, after, limit, options, scope } = page
  try {
    return await core.cache.list({
      prefix: resource.prefix,
      match: options.match,
      ...(at === undefined ? {} : { at: revision(at) }),
      ...(after === undefined ? {} : { after }),
      ...(limit === undefined ? {} : { limit }),
    })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    if (error.kind === 'future') throw tooLargeResourceVersion(at ?? 0, core.cache.revision)
    if (error.kind !== 'compacted') throw error
    if (after === undefined) throw expired('The resourceVersion for the provided list is too old.')
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      writeToken({ revision: undefined, after, scope }),
    )
  }
}

interface ContinueToken {
  /** Undefined goes on at the current state, after the snapshot has gone. */
  readonly revision: number | undefined
  readonly after: string
  readonly scope: string
}

/** Names the format, so that a token of another server is refused and not misread. */
const tokenVersion = 'orrery.dev/v1'

function writeToken({ revision: at, after, scope }: ContinueToken): string {
  return Buffer.from(stringifyJson({ v: tokenVersion, rv: at ?? -1, start: after, scope })).toString('base64url')
}

function readToken(options: ListOptions, scope: string): ContinueToken {
  if (options.resourceVersion !== undefined && options.resourceVersion !== 0) {
    throw badRequest('specifying resource version is not allowed when using continue')
  }
  const token = decodeToken(options.continue)
  const at = token?.['rv']
  if (token === undefined || textAt(token, 'v') !== tokenVersion || typeof at !== 'number') {
    throw badRequest('invalid continue token: continue key is not valid: it was not issued by this server')
  }
  const after = textAt(token, 'start')
  if (textAt(token, 'scope') !== scope || !after.startsWith(scope.slice(0, scope.lastIndexOf('/') + 1))) {
    throw badRequest('invalid continue token: continue key is not valid: it belongs to another list')
  }
  if (!Number.isSafeInteger(at) || at === 0 || at < -1) {
    throw badRequest('invalid continue token: continue key is not valid: its revision is out of range')
  }
  return { revision: at === -1 ? undefined : at, after, scope }
}

function decodeToken(text: string) {
  try {
    const { value } = parseJson(Buffer.from(text, 'base64url'))
    return isObject(value) ? value : undefined
  } catch {
    // Whatever is wrong with the text, the answer is the same: it is no token of ours.
    return undefined
  }
}
