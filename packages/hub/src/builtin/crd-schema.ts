import { customResourceDefinitions, type JsonSchema } from '@orrery/api'
import { atomicList, flag, int32, int64, kindSchema, listMap, object, text, texts, time } from './kind-schema.ts'

const names = object(
  'Names specify the resource and kind names for the custom resource.',
  {
    categories: {
      ...texts('Grouped resources this custom resource belongs to, for example "all".'),
      'x-kubernetes-list-type': 'atomic',
    },
    kind: text('The serialized kind of the resource. In CamelCase and singular.'),
    listKind: text('The serialized kind of the list for this resource. Defaults to kind + "List".'),
    plural: text('The plural name of the resource to serve, all lowercase, as in /apis/<group>/<version>/<plural>.'),
    shortNames: { ...texts('Short names for the resource, all lowercase.'), 'x-kubernetes-list-type': 'atomic' },
    singular: text('The singular name of the resource, all lowercase. Defaults to the lowercased kind.'),
  },
  ['plural', 'kind'],
)

const column = object(
  'A column of the table that kubectl get shows.',
  {
    description: text('A description of this column, for people.'),
    format: text('An optional OpenAPI type modifier, for example "name".'),
    jsonPath: text('A simple JSON path, evaluated against each custom resource, for the value of this column.'),
    name: text('A name for the column, for people.'),
    priority: int32('Relative importance: columns above 0 are shown in wide output only.'),
    type: text('An OpenAPI type for the column: integer, number, string, boolean or date.'),
  },
  ['name', 'type', 'jsonPath'],
)

const subresources = object('Which subresources this version of the custom resource has.', {
  scale: object(
    'The /scale subresource.',
    {
      labelSelectorPath: text('JSON path of a selector, serialized as text, under .spec or .status.'),
      specReplicasPath: text('JSON path under .spec of the desired number of replicas.'),
      statusReplicasPath: text('JSON path under .status of the actual number of replicas.'),
    },
    ['specReplicasPath', 'statusReplicasPath'],
  ),
  status: {
    type: 'object',
    description: 'The /status subresource: .status is written there and nowhere else.',
    'x-kubernetes-preserve-unknown-fields': true,
  },
})

// A schema holds schemas; its own rules are checked when the CRD is validated.
const openApiSchema: JsonSchema = {
  type: 'object',
  description: 'The OpenAPI v3 schema to use for validation, defaulting and pruning. It must be structural.',
  'x-kubernetes-preserve-unknown-fields': true,
}

const version = object(
  'A version of the custom resource.',
  {
    additionalPrinterColumns: atomicList(
      'Additional columns returned in tables. Without any, the age is shown.',
      column,
    ),
    deprecated: flag('Whether this version is deprecated: requests to it get a warning.'),
    deprecationWarning: text('Overrides the default warning of a deprecated version.'),
    name: text('The version name, for example "v1" or "v2beta1". Served under /apis/<group>/<version>/....'),
    schema: object('The schema used for validation, pruning and defaulting of this version.', {
      openAPIV3Schema: openApiSchema,
    }),
    selectableFields: atomicList(
      'Fields that may be used in field selectors. At most 8.',
      object(
        'One field.',
        { jsonPath: text('A simple JSON path to a string, boolean or integer, outside of lists and metadata.') },
        ['jsonPath'],
      ),
    ),
    served: flag('Whether this version is served over the API.'),
    storage: flag('Whether objects are stored in this version. Exactly one version must be.'),
    subresources,
  },
  ['name', 'served', 'storage'],
)

const conversion = object(
  'How objects are converted between versions.',
  {
    strategy: text('None: only apiVersion changes. Webhook: an external service converts.'),
    webhook: object('How to call the webhook.', {
      clientConfig: object('Where the webhook is.', {
        caBundle: {
          type: 'string',
          format: 'byte',
          description: 'PEM bundle that validates the certificate of the webhook.',
        },
        service: object('A reference to a service.', {
          name: text('Name of the service.'),
          namespace: text('Namespace of the service.'),
          path: text('URL path at which the webhook is called.'),
          port: int32('Port of the service; 443 by default.'),
        }),
        url: text('The location of the webhook, https://host:port/path.'),
      }),
      conversionReviewVersions: {
        ...texts('The versions of ConversionReview that the webhook understands, in order of preference.'),
        'x-kubernetes-list-type': 'atomic',
      },
    }),
  },
  ['strategy'],
)

const condition = object(
  'Details of the current condition of this definition.',
  {
    lastTransitionTime: { ...time('Last time the condition changed from one status to another.'), nullable: true },
    message: text('A message for people about the last transition.'),
    observedGeneration: int64('The generation that the condition was set upon.'),
    reason: text('A one-word reason for the last transition.'),
    status: text('True, False or Unknown.'),
    type: text('Established, NamesAccepted, NonStructuralSchema or Terminating.'),
  },
  ['type', 'status'],
)

/** `apiextensions.k8s.io/v1 CustomResourceDefinition`. */
export const crdSchema: JsonSchema = kindSchema(
  customResourceDefinitions,
  'CustomResourceDefinition represents a resource that should be exposed on the API server. Its name must be <plural>.<group>.',
  {
    required: ['spec'],
    properties: {
      spec: object(
        'Spec describes how the user wants the resources to appear.',
        {
          conversion,
          group: text('The API group of the custom resource, as in /apis/<group>/....'),
          names,
          preserveUnknownFields: flag('Must be false: use x-kubernetes-preserve-unknown-fields in the schema instead.'),
          scope: text('Whether the custom resource is Cluster or Namespaced.'),
          versions: atomicList('All versions of the custom resource, with their schemas.', version),
        },
        ['group', 'names', 'scope', 'versions'],
      ),
      status: object('Status shows what was accepted. Set by the server.', {
        acceptedNames: { ...names, description: 'The names that are actually used to serve discovery.', required: [] },
        conditions: {
          ...listMap('The state of particular aspects of the definition.', condition, 'type'),
          nullable: true,
        },
        observedGeneration: int64('The generation that the server observed.'),
        storedVersions: {
          ...texts('All versions that were ever stored; migration tools remove what is no longer there.'),
          'x-kubernetes-list-type': 'atomic',
        },
      }),
    },
  },
)
