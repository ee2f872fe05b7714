import type { KubeObject } from '@orrery/api'
import { apiVersionOf, equalJson, parseYaml } from '@orrery/api'
import type { DiscoveredResource } from '@orrery/client'
import { annotations } from '@orrery/provider'
import type { Fields } from './fields.ts'
import { fieldsOf, isFields, listOf, textOf } from './fields.ts'
import { CliError } from './problem.ts'

/** Manifests of managed objects, made from what exists. */

/** An object with a spec, as it is applied. */
export interface Manifest extends KubeObject {
  readonly spec: Fields
}

/** `forProvider` of a kind, as its schema describes it. */
export interface ForProvider {
  readonly properties: Readonly<Record<string, Fields>>
  readonly required: readonly string[]
}

/** Finds the schema of `spec.forProvider` in an OpenAPI v3 document; undefined when the kind is not a managed one. */
export function findForProvider(
  document: unknown,
  { group, version, kind }: DiscoveredResource,
): ForProvider | undefined {
  const schemas = Object.values(fieldsOf(fieldsOf(fieldsOf(document)['components'])['schemas']))
  const schema = schemas.find((each) =>
    listOf(fieldsOf(each)['x-kubernetes-group-version-kind']).some((value) =>
      equalJson(value, { group, version, kind }),
    ),
  )
  const spec = fieldsOf(fieldsOf(fieldsOf(schema)['properties'])['spec'])
  const forProvider = fieldsOf(spec['properties'])['forProvider']
  if (!isFields(forProvider)) return undefined
  return {
    properties: Object.fromEntries(
      Object.entries(fieldsOf(forProvider['properties'])).map(([name, property]) => [name, fieldsOf(property)]),
    ),
    required: listOf(forProvider['required']).flatMap((name) => textOf(name) ?? []),
  }
}

/**
 * What a user would have to write to get what exists: the observed fields that the kind's spec has too. Left out is
 * what would say nothing: defaults, empty lists and maps, and what `given` says in another way, by a reference.
 */
export function fillForProvider(schema: ForProvider, observed: Fields, given: Fields): Fields {
  const filled: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(schema.properties)) {
    const value = observed[name]
    if (isGiven(name, given) || value === undefined || value === null || isEmpty(value)) continue
    const isRequired = schema.required.includes(name)
    if (isRequired || !equalJson(value, property['default'])) filled[name] = value
  }
  return { ...filled, ...given }
}

const isGiven = (name: string, given: Fields) =>
  [name, `${name}Ref`, `${name}Refs`, `${name}Selector`].some((field) => Object.hasOwn(given, field))

const isEmpty = (value: unknown) =>
  Array.isArray(value) ? value.length === 0 : isFields(value) && Object.keys(value).length === 0

/** Deeper paths do not occur in specs. */
const MAX_PATH = 16

/** Reads `path=value` pairs into one object; values are YAML. Throws {@link CliError}. */
export function parseAssignments(assignments: readonly string[], program: string): Fields {
  let result: Fields = {}
  for (const text of assignments) {
    const [, path = '', value = ''] = /^([^=]+)=([\s\S]*)$/.exec(text) ?? []
    const names = path.split('.')
    if (path === '' || names.length > MAX_PATH || names.some((name) => !/^[A-Za-z0-9_-]+$/.test(name))) {
      throw new CliError(`"${text}" is not of the form FIELD=VALUE, e.g. database=orders or ownerRef.name=app.`, {
        code: 'InvalidArgument',
        path: '--set',
        next: `${program} import --help`,
      })
    }
    result = withValue(result, names, parseYaml(value).value)
  }
  return result
}

function withValue(fields: Fields, [name = '', ...rest]: readonly string[], value: unknown): Fields {
  return { ...fields, [name]: rest.length === 0 ? value : withValue(fieldsOf(fields[name]), rest, value) }
}

export interface ManifestOptions {
  readonly resource: DiscoveredResource
  readonly name: string
  readonly namespace: string
  readonly externalName: string
  readonly providerConfig: { readonly name: string; readonly kind?: string } | undefined
  readonly forProvider: Fields
  /** `observe`: looks and changes nothing. `adopt`: takes what exists into its care. */
  readonly mode: 'observe' | 'adopt'
}

/** A manifest that takes over what exists, or only observes it. */
export function manifestOf(options: ManifestOptions): Manifest {
  const { resource, name, namespace, externalName, providerConfig, forProvider, mode } = options
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: {
      name,
      namespace,
      annotations: {
        [annotations.externalName]: externalName,
        ...(mode === 'adopt' ? { [annotations.adopt]: 'true' } : {}),
      },
    },
    spec: {
      ...(providerConfig === undefined ? {} : { providerConfigRef: providerConfig }),
      managementPolicies: [mode === 'adopt' ? '*' : 'Observe'],
      forProvider,
    },
  }
}
