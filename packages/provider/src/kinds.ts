import type { JsonObject, JsonSchema, Kind, KubeObject, ResourceObject } from '@orrery/api'
import { array, object, optional, string } from '@orrery/api'
import type { KindDefinition, ReferenceDefinition } from './kind.ts'
import type { ManagedKind, ManagedStatus } from './managed.ts'
import { specSchema, statusSchema } from './managed.ts'
import type { ProviderDefinition } from './provider.ts'

/** How the definitions of a provider become kinds of the API: addresses, schemas, CustomResourceDefinitions. */

export const VERSION = 'v1alpha1'

export interface ProviderConfigSpec {
  readonly credentialsSecretRef?: { readonly name: string; readonly namespace?: string }
  readonly instanceRef?: { readonly name: string }
  readonly allowedNamespaces?: readonly string[]
  readonly [field: string]: unknown
}
export type ProviderConfigObject = ResourceObject<ProviderConfigSpec, Pick<ManagedStatus, 'conditions'>>

/** Names of fields that hold references to `field`. */
export function referenceFields(field: string, reference: ReferenceDefinition) {
  return { ref: reference.list === true ? `${field}Refs` : `${field}Ref`, selector: `${field}Selector` }
}

export function managedKind(group: string, definition: KindDefinition): ManagedKind {
  return {
    group,
    version: VERSION,
    kind: definition.kind,
    plural: definition.plural,
    singular: definition.kind.toLowerCase(),
    namespaced: true,
    shortNames: definition.shortNames ?? [],
    categories: ['managed', 'orrery'],
  }
}

export function providerConfigKind(
  provider: Pick<ProviderDefinition, 'group' | 'shortName'>,
): Kind<ProviderConfigObject> {
  return {
    group: provider.group,
    version: VERSION,
    kind: 'ProviderConfig',
    plural: 'providerconfigs',
    singular: 'providerconfig',
    namespaced: true,
    shortNames: [`${provider.shortName}config`],
    categories: ['orrery'],
  }
}

export function clusterProviderConfigKind(
  provider: Pick<ProviderDefinition, 'group' | 'shortName'>,
): Kind<ProviderConfigObject> {
  return {
    group: provider.group,
    version: VERSION,
    kind: 'ClusterProviderConfig',
    plural: 'clusterproviderconfigs',
    singular: 'clusterproviderconfig',
    namespaced: false,
    shortNames: [`${provider.shortName}clusterconfig`],
    categories: ['orrery'],
  }
}

const nameRef = object({
  name: string({ minLength: 1, maxLength: 253, description: 'Name of an object in the same namespace.' }),
})

const selectorSchema: JsonSchema = {
  type: 'object',
  description: 'Chooses by labels in the same namespace; the first by name, and it stays the choice while it matches.',
  required: ['matchLabels'],
  properties: { matchLabels: { type: 'object', additionalProperties: { type: 'string' }, minProperties: 1 } },
}

/** `forProvider` with the reference fields beside the fields they fill. */
export function forProviderSchema(definition: KindDefinition): JsonSchema {
  const own = definition.forProvider.json
  const properties: Record<string, JsonSchema> = { ...own.properties }
  const alternatives: JsonSchema[] = []
  const required = new Set(own.required)
  for (const [field, reference] of Object.entries(definition.references ?? {})) {
    const names = referenceFields(field, reference)
    const ref = reference.list === true ? array(nameRef, { 'x-kubernetes-list-type': 'atomic' }).json : nameRef.json
    properties[names.ref] = { ...ref, description: `Fills ${field} from ${reference.to} objects.` }
    properties[names.selector] = selectorSchema
    required.delete(field)
    if (reference.required === true) {
      alternatives.push({ anyOf: [{ required: [field] }, { required: [names.ref] }, { required: [names.selector] }] })
    }
  }
  const { required: _required, ...rest } = own
  return {
    ...rest,
    properties,
    ...(required.size === 0 ? {} : { required: [...required] }),
    ...(alternatives.length === 0 ? {} : { allOf: alternatives }),
  }
}

interface CrdOptions {
  readonly kind: Kind
  readonly description: string
  readonly spec: JsonSchema
  readonly status: JsonSchema
  readonly columns: readonly JsonObject[]
  /** By reference field: the kind it leads to. */
  readonly references?: Readonly<Record<string, string>>
}

const column = (name: string, type: string, jsonPath: string, priority = 0): JsonObject => ({
  name,
  type,
  jsonPath,
  ...(priority === 0 ? {} : { priority }),
})
const conditionColumn = (type: string, field = 'status', priority = 0) =>
  column(field === 'status' ? type : 'Reason', 'string', `.status.conditions[?(@.type=="${type}")].${field}`, priority)
const AGE = column('Age', 'date', '.metadata.creationTimestamp')

/** Label on every CRD that a manager installed, so that it may upgrade it. */
export const INSTALLED_BY = { 'app.kubernetes.io/managed-by': 'orrery' } as const

/** On a CustomResourceDefinition: the kind that each reference field of `forProvider` leads to, as JSON, for tools that follow them. */
export const REFERENCES_ANNOTATION = 'orrery.dev/references'

function crd(options: CrdOptions): KubeObject & { readonly spec: JsonObject } {
  const { kind, references = {} } = options
  const annotations =
    Object.keys(references).length === 0 ? {} : { annotations: { [REFERENCES_ANNOTATION]: JSON.stringify(references) } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}`, labels: INSTALLED_BY, ...annotations },
    spec: {
      group: kind.group,
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        ...(kind.shortNames === undefined || kind.shortNames.length === 0 ? {} : { shortNames: [...kind.shortNames] }),
        ...(kind.categories === undefined ? {} : { categories: [...kind.categories] }),
      },
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [...options.columns],
          schema: {
            openAPIV3Schema: withoutInternals({
              type: 'object',
              description: options.description,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: options.spec,
                status: options.status,
              },
            }),
          },
        },
      ],
    },
  }
}

// Kubernetes refuses x- extensions it does not know; ours are for the engine alone.
function withoutInternals(schema: JsonSchema): JsonObject {
  return JSON.parse(JSON.stringify(schema, (key, value: unknown) => (key.startsWith('x-orrery-') ? undefined : value)))
}

/** All CustomResourceDefinitions of a provider: its kinds, ProviderConfig and ClusterProviderConfig. */
export function customResourceDefinitionsOf(
  provider: ProviderDefinition,
): readonly (KubeObject & { readonly spec: JsonObject })[] {
  const managed = provider.kinds.map((definition) =>
    crd({
      kind: managedKind(provider.group, definition),
      description: definition.description,
      spec: specSchema(forProviderSchema(definition), { providerConfig: definition.providerConfig !== 'none' }),
      status: statusSchema(definition.atProvider.json),
      columns: [
        conditionColumn('Ready'),
        conditionColumn('Synced'),
        conditionColumn('UpToDate'),
        conditionColumn('Ready', 'reason'),
        column('External-Name', 'string', '.status.external.name', 1),
        AGE,
      ],
      references: Object.fromEntries(Object.entries(definition.references ?? {}).map(([field, { to }]) => [field, to])),
    }),
  )
  return [...managed, ...configDefinitions(provider)]
}

function configDefinitions(provider: ProviderDefinition): readonly (KubeObject & { readonly spec: JsonObject })[] {
  const conditions = statusSchema({ type: 'object' }).properties?.['conditions'] ?? { type: 'array' }
  const status: JsonSchema = { type: 'object', properties: { conditions } }
  const credentials = object(
    {
      name: string({ minLength: 1, maxLength: 253 }),
      namespace: optional(
        string({ description: 'For ClusterProviderConfig only; a ProviderConfig reads its own namespace.' }),
      ),
    },
    { description: 'Secret with the credentials.' },
  ).json
  const own = provider.config.json
  const spec: JsonSchema = {
    ...own,
    properties: {
      ...own.properties,
      credentialsSecretRef: credentials,
      ...(provider.instanceKind === undefined
        ? {}
        : {
            instanceRef: {
              ...nameRef.json,
              description: `A ${provider.instanceKind} in this namespace, instead of an address.`,
            },
          }),
    },
  }
  const columns = [conditionColumn('Ready'), conditionColumn('Ready', 'reason'), AGE]
  const { instanceRef: _instanceRef, ...clusterProperties } = spec.properties ?? {}
  return [
    crd({
      kind: providerConfigKind(provider),
      description: `How to reach one system of ${provider.group}.`,
      spec,
      status,
      columns,
    }),
    crd({
      kind: clusterProviderConfigKind(provider),
      description: `How to reach one system of ${provider.group}, for several namespaces.`,
      spec: {
        ...spec,
        properties: {
          ...clusterProperties,
          allowedNamespaces: {
            type: 'array',
            items: { type: 'string' },
            'x-kubernetes-list-type': 'set',
            description: 'Namespaces whose objects may use it; * allows all. Nobody may when it is empty.',
          },
        },
      },
      status,
      columns,
    }),
  ]
}
