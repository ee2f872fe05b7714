import type { Store } from '../store/store.ts'
import type { CacheListRequest, CacheListResult } from './cache.ts'
import { CachedVersion, type IndexOf } from './cached-object.ts'
import { compileMatch, keyRange } from './match.ts'

/** Objects read from the store at once. */
const PAGE = 500

/** A list of a state that only the store still knows. Throws `compacted` when it does not either. */
export async function listFromStore(
  store: Store,
  request: CacheListRequest,
  indexOf: IndexOf,
): Promise<CacheListResult> {
  const matches = compileMatch(request.match)
  const prefix = keyRange(request.prefix, request.match)
  const items: CachedVersion[] = []
  let { at, after } = request
  for (;;) {
    const page = await store.list({
      prefix,
      limit: PAGE,
      ...(at === undefined ? {} : { at }),
      ...(after === undefined ? {} : { after }),
    })
    at = page.revision
    for (const value of page.items) {
      if (request.limit !== undefined && items.length >= request.limit) {
        return { items, revision: page.revision, next: items.at(-1)?.key ?? value.key }
      }
      const object = CachedVersion.of(value, indexOf).assertReadable()
      if (matches(object.index)) items.push(object)
      after = value.key
    }
    if (!page.more) return { items, revision: page.revision }
  }
}
