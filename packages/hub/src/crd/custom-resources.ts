import {
  apiVersionOf,
  compileSchema,
  equalJson,
  type JsonObject,
  type Logger,
  type StructuralSchema,
} from '@orrery/api'
import type { ResourceDefinition } from '../builtin/builtin.ts'
import type { CachedObject, WatchFrame } from '../cache/cache.ts'
import { objectAt, objectsAt, textAt } from '../registry/json-access.ts'
import { parseStored } from '../registry/parsed-objects.ts'
import { defineServedResource, resourcePrefix, type ServedResource } from '../registry/served-resource.ts'
import { isEstablished } from './names.ts'

/** Turns one version of a CRD into a definition like those of built-in kinds. */
export type CustomDefinition = (crd: JsonObject, version: string) => ResourceDefinition

export const crdPrefix = resourcePrefix('apiextensions.k8s.io', 'customresourcedefinitions')
export const crdFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

/** A CRD and what it makes addressable. */
export interface KnownCrd {
  readonly name: string
  readonly object: JsonObject
  readonly revision: number
  /** The version that is stored; used to delete instances even where it is not served. */
  readonly storage: ServedResource | undefined
  readonly served: readonly ServedResource[]
}

/** All CRDs, kept current by the cache in the same step in which a write becomes visible. */
export class CustomResources {
  readonly #crds = new Map<string, KnownCrd>()
  readonly #define: CustomDefinition
  readonly #log: Logger
  readonly #onChange: () => void
  readonly #onFields: (prefix: string) => void

  constructor(options: {
    readonly define: CustomDefinition
    readonly log: Logger
    /** What is served has changed. */
    readonly onChange: () => void
    /** Objects under this prefix have other selectable fields than before. */
    readonly onFields: (prefix: string) => void
  }) {
    this.#define = options.define
    this.#log = options.log
    this.#onChange = options.onChange
    this.#onFields = options.onFields
  }

  all(): Iterable<KnownCrd> {
    return this.#crds.values()
  }

  *served(): Generator<ServedResource> {
    for (const crd of this.#crds.values()) yield* crd.served
  }

  load(items: readonly CachedObject[]): void {
    for (const item of items) this.#set(item)
    this.#onChange()
  }

  /** Must not throw: the cache calls it while it applies a batch. */
  apply(frames: readonly WatchFrame[]): void {
    for (const frame of frames) {
      if (frame.type === 'BOOKMARK') continue
      if (frame.type === 'DELETED') this.#crds.delete(frame.object.index.name)
      else this.#set(frame.object)
    }
    this.#onChange()
  }

  #set(cached: CachedObject): void {
    const { name } = cached.index
    try {
      const object = parseStored(cached.stored)
      const fields = fieldsOf(this.#crds.get(name))
      const known = this.#known(name, object, cached.revision)
      this.#crds.set(name, known)
      if (known.storage !== undefined && fieldsOf(known) !== fields) this.#onFields(known.storage.prefix)
    } catch (error) {
      this.#crds.delete(name)
      this.#log.error({ error, crd: name }, 'a CustomResourceDefinition cannot be served; correct or delete it')
    }
  }

  #known(name: string, object: JsonObject, revision: number): KnownCrd {
    const before = this.#crds.get(name)
    if (before !== undefined && servesTheSame(before.object, object)) return { ...before, object, revision }
    const spec = objectAt(object, 'spec')
    const versions = objectsAt(spec, 'versions')
    const storageVersion = versions.find((version) => version['storage'] === true)
    if (storageVersion === undefined) return { name, object, revision, storage: undefined, served: [] }
    const stored = this.#define(object, textAt(storageVersion, 'name'))
    const shape = storageShape(stored)
    const isTerminating = objectAt(object, 'metadata')['deletionTimestamp'] !== undefined
    const serve = (version: JsonObject) => {
      const isStorage = version === storageVersion
      return defineServedResource({
        definition: isStorage ? stored : this.#define(object, textAt(version, 'name')),
        storage: shape,
        listKind: textAt(objectAt(spec, 'names'), 'listKind') || `${stored.info.kind}List`,
        // Anything written before this change may not fit the schema of now.
        convertUpTo: revision,
        deprecation: deprecationOf(spec, version),
        terminating: isTerminating,
      })
    }
    const storage = serve(storageVersion)
    const served = isEstablished(object)
      ? versions
          .filter((version) => version['served'] === true)
          .map((version) => (version === storageVersion ? storage : serve(version)))
      : []
    return { name, object, revision, storage, served }
  }
}

/** The selectable fields of what is stored, as one text to compare. */
const fieldsOf = (crd: KnownCrd | undefined): string => crd?.storage?.definition.selectableFields.join('\n') ?? ''

function storageShape(definition: ResourceDefinition): ServedResource['storage'] {
  let compiled: StructuralSchema | undefined
  return {
    apiVersion: apiVersionOf(definition.info),
    get schema() {
      return (compiled ??= compileSchema(definition.schema))
    },
  }
}

function servesTheSame(before: JsonObject, after: JsonObject): boolean {
  const isTerminating = (crd: JsonObject) => objectAt(crd, 'metadata')['deletionTimestamp'] !== undefined
  return (
    isEstablished(before) === isEstablished(after) &&
    isTerminating(before) === isTerminating(after) &&
    equalJson(before['spec'], after['spec'])
  )
}

function deprecationOf(spec: JsonObject, version: JsonObject): string | undefined {
  if (version['deprecated'] !== true) return undefined
  const own = textAt(version, 'deprecationWarning')
  if (own !== '') return own
  const kind = textAt(objectAt(spec, 'names'), 'kind')
  return `${textAt(spec, 'group')}/${textAt(version, 'name')} ${kind} is deprecated`
}
