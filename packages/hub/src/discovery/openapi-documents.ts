import { createHash } from 'node:crypto'
import { stringifyJson } from '@orrery/api'
import { reviewDefinitions } from '../builtin/reviews.ts'
import type { OpenApiKind } from '../openapi/open-api-kind.ts'
import type { Catalogue, GroupVersion } from '../registry/catalogue.ts'
import { allGroups } from './legacy.ts'

/** Builds one OpenAPI v3 document over the kinds of a group version. */
export type OpenApiBuilder = (kinds: readonly OpenApiKind[]) => unknown

export interface OpenApiDocument {
  readonly bytes: Uint8Array
  /** Upper-case SHA-512 of the bytes. */
  readonly hash: string
}

/**
 * OpenAPI v3, built when somebody asks and kept as long as the group version stays as it is. A hub with
 * thousands of CRDs pays only for the groups that are looked at.
 */
export class OpenApiDocuments {
  readonly #build: OpenApiBuilder
  /** Keyed by the resources of a group version, which are replaced when one of them changes. */
  readonly #documents = new WeakMap<GroupVersion, OpenApiDocument>()
  #known = new Map<string, GroupVersion>()

  constructor(build: OpenApiBuilder) {
    this.#build = build
  }

  /** The document at `api/v1` or `apis/<group>/<version>`, or undefined. */
  find(catalogue: Catalogue, path: string): OpenApiDocument | undefined {
    const version = this.#versions(catalogue).get(path)
    return version === undefined ? undefined : this.#document(path, version)
  }

  /** The index of all documents: `GET /openapi/v3`. */
  index(catalogue: Catalogue): unknown {
    const paths: Record<string, { readonly serverRelativeURL: string }> = {}
    for (const [path, version] of this.#versions(catalogue)) {
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${this.#document(path, version).hash}` }
    }
    return { paths }
  }

  #document(path: string, version: GroupVersion): OpenApiDocument {
    const known = this.#documents.get(version)
    if (known !== undefined) return known
    const definitions = [...version.resources.values()].map((resource) => resource.definition)
    const reviews = reviewDefinitions.filter(({ info }) => path === `apis/${info.group}/${info.version}`)
    const bytes = Buffer.from(stringifyJson(this.#build([...definitions, ...reviews])))
    const document = { bytes, hash: createHash('sha512').update(bytes).digest('hex').toUpperCase() }
    this.#documents.set(version, document)
    return document
  }

  /** By path. A group version whose resources are the same as before stays the same object, and so its document. */
  #versions(catalogue: Catalogue): ReadonlyMap<string, GroupVersion> {
    const next = new Map<string, GroupVersion>()
    for (const group of allGroups(catalogue)) {
      for (const version of group.versions) {
        const path = group.name === '' ? `api/${version.version}` : `apis/${group.name}/${version.version}`
        const before = this.#known.get(path)
        next.set(path, before !== undefined && sameResources(before, version) ? before : version)
      }
    }
    this.#known = next
    return next
  }
}

function sameResources(a: GroupVersion, b: GroupVersion): boolean {
  if (a.resources.size !== b.resources.size) return false
  for (const [plural, resource] of a.resources) {
    if (b.resources.get(plural)?.definition !== resource.definition) return false
  }
  return true
}
