import { checkObjectMeta, type FieldError, type JsonObject, qualifiedResource } from '@orrery/api'
import { badRequest, invalid } from '../http/errors.ts'
import type { Warnings } from '../http/warnings.ts'
import type { HubCore } from './core.ts'
import { objectAt, objectsAt, textAt, textsAt } from './json-access.ts'
import { checkFinalizers, checkMetadataUpdate } from './metadata-rules.ts'
import { resourcePrefix, type ServedResource } from './served-resource.ts'

interface ValidateInput {
  readonly core: HubCore
  readonly resource: ServedResource
  readonly object: JsonObject
  /** The live object of an update. */
  readonly old?: JsonObject
  /** Found while the object was shaped. */
  readonly shapeErrors: readonly FieldError[]
  readonly warnings: Warnings
}

/** Everything that makes an object unacceptable. Throws 422 with all violations, bounded. */
export async function validateObject(input: ValidateInput): Promise<void> {
  const { resource, object, old } = input
  const { definition, schema } = resource
  const { info, custom } = definition
  const metadata = objectAt(object, 'metadata')
  // Core kinds alone know a fixed set of unqualified finalizers.
  const errors: FieldError[] = [
    ...checkObjectMeta(metadata, {
      namespaced: info.namespaced,
      customResource: custom || info.group === 'apiextensions.k8s.io',
      checkName: definition.checkName,
    }),
    ...checkFinalizers(metadata),
    ...(old === undefined ? [] : checkMetadataUpdate(metadata, objectAt(old, 'metadata'))),
    ...input.shapeErrors,
    ...(custom ? schema.validate(object, old === undefined ? {} : { old }) : []),
    ...(definition.validate?.(object, old) ?? []),
    ...(await checkOwners(input)),
  ]
  if (errors.length > 0) throw invalid(info.group, info.kind, textAt(metadata, 'name'), errors)
  if (custom) warnOfFinalizers(metadata, input.warnings)
}

function warnOfFinalizers(metadata: JsonObject, warnings: Warnings): void {
  for (const finalizer of textsAt(metadata, 'finalizers')) {
    if (finalizer.includes('/') || finalizer === 'orphan' || finalizer === 'foregroundDeletion') continue
    warnings.add(
      `metadata.finalizers: ${JSON.stringify(finalizer)}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers`,
    )
  }
}

/**
 * Refuses owners that garbage collection could never find: a namespaced owner of a cluster-scoped object,
 * or one in another namespace. Kubernetes accepts both and then deletes the dependent. What is not
 * known here (an owner of an unknown kind, an owner that is gone) passes.
 */
async function checkOwners({ core, resource, object, old }: ValidateInput): Promise<FieldError[]> {
  const metadata = objectAt(object, 'metadata')
  const owners = objectsAt(metadata, 'ownerReferences')
  if (owners.length === 0) return []
  const known = new Set(old === undefined ? [] : objectsAt(objectAt(old, 'metadata'), 'ownerReferences').map(ownerUid))
  const errors: FieldError[] = []
  for (const [index, owner] of owners.entries()) {
    if (known.has(ownerUid(owner))) continue
    const why = await misplacedOwner(core, resource, textAt(metadata, 'namespace'), owner)
    if (why === undefined) continue
    errors.push({
      path: `metadata.ownerReferences[${index}]`,
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(textAt(owner, 'name'))}: ${why}`,
    })
  }
  return errors
}

const ownerUid = (owner: JsonObject) => textAt(owner, 'uid')

async function misplacedOwner(
  core: HubCore,
  resource: ServedResource,
  namespace: string,
  owner: JsonObject,
): Promise<string | undefined> {
  const ownerResource = resourceOfKind(core, textAt(owner, 'apiVersion'), textAt(owner, 'kind'))
  if (ownerResource === undefined || !ownerResource.definition.info.namespaced) return undefined
  if (!resource.definition.info.namespaced) return 'a cluster-scoped object cannot be owned by a namespaced one'
  const { group, plural } = ownerResource.definition.info
  const prefix = resourcePrefix(group, plural)
  const name = textAt(owner, 'name')
  if (core.cache.get(`${prefix}${namespace}/${name}`) !== undefined) return undefined
  const elsewhere = await core.cache.list({ prefix, match: { name } })
  const found = elsewhere.items.find((item) => item.index.uid === textAt(owner, 'uid'))
  if (found === undefined) return undefined
  return `the owner, of resource ${qualifiedResource({ group, plural })}, lives in another namespace; an owner must be in the namespace of its dependents`
}

function resourceOfKind(core: HubCore, apiVersion: string, kind: string): ServedResource | undefined {
  const slash = apiVersion.indexOf('/')
  const group = slash < 0 ? '' : apiVersion.slice(0, slash)
  for (const version of core.catalogue().byName.get(group)?.versions ?? []) {
    for (const resource of version.resources.values()) {
      if (resource.definition.info.kind === kind) return resource
    }
  }
  return undefined
}

/** The namespace of an object in a request: absent takes the URL's, another one is refused (400). */
export function settleNamespace(
  resource: ServedResource,
  metadata: Record<string, unknown>,
  urlNamespace: string,
): void {
  if (!resource.definition.info.namespaced) {
    delete metadata['namespace']
    return
  }
  const given = metadata['namespace']
  if (given === undefined || given === '') metadata['namespace'] = urlNamespace
  else if (given !== urlNamespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
}
