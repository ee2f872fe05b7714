import { apiVersionOf, compileSchema, type StructuralSchema } from '@orrery/api'
import type { ResourceDefinition } from '../builtin/builtin.ts'

/** One resource in one version, as requests address it. Built-in kinds and custom resources look alike from here on. */
export interface ServedResource {
  readonly definition: ResourceDefinition
  readonly apiVersion: string
  /** What objects of this resource are stored as; differs from `apiVersion` for further versions of a CRD. */
  readonly storage: { readonly apiVersion: string; readonly schema: StructuralSchema }
  readonly schema: StructuralSchema
  readonly listKind: string
  /** The key prefix `/<group>/<plural>/`. */
  readonly prefix: string
  /** Objects stored up to this revision may not fit the present schema and are converted when read. */
  readonly convertUpTo: number
  /** Sent as a Warning with every answer. */
  readonly deprecation?: string
  /** The CRD is being deleted: objects may be changed and deleted, none created. */
  readonly terminating: boolean
  /** How a stored object begins when it needs no conversion. */
  readonly storedHead: Uint8Array
}

export interface ServedResourceOptions {
  readonly definition: ResourceDefinition
  readonly storage?: ServedResource['storage']
  readonly listKind?: string
  readonly convertUpTo?: number
  readonly deprecation?: string | undefined
  readonly terminating?: boolean
}

/** Makes a definition addressable. The schema is compiled by the first request that needs it. */
export function defineServedResource(options: ServedResourceOptions): ServedResource {
  const { definition, listKind, deprecation } = options
  const { info } = definition
  let compiled: StructuralSchema | undefined
  const schema = () => (compiled ??= compileSchema(definition.schema))
  const apiVersion = apiVersionOf(info)
  return {
    definition,
    apiVersion,
    get storage() {
      return options.storage ?? { apiVersion, schema: schema() }
    },
    get schema() {
      return schema()
    },
    listKind: listKind ?? `${info.kind}List`,
    prefix: resourcePrefix(info.group, info.plural),
    convertUpTo: options.convertUpTo ?? 0,
    ...(deprecation === undefined ? {} : { deprecation }),
    terminating: options.terminating ?? false,
    storedHead: Buffer.from(headOf(apiVersion, info.kind)),
  }
}

/** Every stored object starts with exactly this, so that heads can be compared and cut without parsing. */
export function headOf(apiVersion: string, kind: string): string {
  return `{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind)},`
}

/** `/<group or "core">/<plural>/`: no part can hold a slash, so prefixes of two resources never overlap. */
export function resourcePrefix(group: string, plural: string): string {
  return `/${group === '' ? 'core' : group}/${plural}/`
}

/** The storage key of one object. `namespace` is empty for cluster-scoped resources. */
export function objectKey(resource: ServedResource, namespace: string, name: string): string {
  return `${resource.prefix}${namespace}/${name}`
}
