import { type Message, message } from './message.ts'
import { objectMeta } from './meta-messages.ts'

/** `k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1`. */

const externalDocs = message([1, 'description', 'string'], [2, 'url', 'string'])
const validationRule = message(
  [1, 'rule', 'string', 'always'],
  [2, 'message', 'string'],
  [3, 'messageExpression', 'string'],
  [4, 'reason', 'string', 'pointer'],
  [5, 'fieldPath', 'string'],
  [6, 'optionalOldSelf', 'bool', 'pointer'],
)

const self = (): Message => jsonSchema

/** `JSONSchemaProps`, which holds itself. */
export const jsonSchema: Message = message(
  [1, 'id', 'string'],
  [2, '$schema', 'string'],
  [3, '$ref', 'string', 'pointer'],
  [4, 'description', 'string'],
  [5, 'type', 'string'],
  [6, 'format', 'string'],
  [7, 'title', 'string'],
  [8, 'default', 'rawJson'],
  [9, 'maximum', 'double', 'pointer'],
  [10, 'exclusiveMaximum', 'bool'],
  [11, 'minimum', 'double', 'pointer'],
  [12, 'exclusiveMinimum', 'bool'],
  [13, 'maxLength', 'int64', 'pointer'],
  [14, 'minLength', 'int64', 'pointer'],
  [15, 'pattern', 'string'],
  [16, 'maxItems', 'int64', 'pointer'],
  [17, 'minItems', 'int64', 'pointer'],
  [18, 'uniqueItems', 'bool'],
  [19, 'multipleOf', 'double', 'pointer'],
  [20, 'enum', 'rawJson', 'list'],
  [21, 'maxProperties', 'int64', 'pointer'],
  [22, 'minProperties', 'int64', 'pointer'],
  [23, 'required', 'string', 'list'],
  [24, 'items', 'schemaOrList', 'pointer'],
  [25, 'allOf', self, 'list'],
  [26, 'oneOf', self, 'list'],
  [27, 'anyOf', self, 'list'],
  [28, 'not', self, 'pointer'],
  [29, 'properties', self, 'map'],
  [30, 'additionalProperties', 'schemaOrBoolean', 'pointer'],
  [31, 'patternProperties', self, 'map'],
  [32, 'dependencies', 'schemaOrNames', 'map'],
  [33, 'additionalItems', 'schemaOrBoolean', 'pointer'],
  [34, 'definitions', self, 'map'],
  [35, 'externalDocs', () => externalDocs, 'pointer'],
  [36, 'example', 'rawJson'],
  [37, 'nullable', 'bool'],
  [38, 'x-kubernetes-preserve-unknown-fields', 'bool', 'pointer'],
  [39, 'x-kubernetes-embedded-resource', 'bool'],
  [40, 'x-kubernetes-int-or-string', 'bool'],
  [41, 'x-kubernetes-list-map-keys', 'string', 'list'],
  [42, 'x-kubernetes-list-type', 'string', 'pointer'],
  [43, 'x-kubernetes-map-type', 'string', 'pointer'],
  [44, 'x-kubernetes-validations', () => validationRule, 'list'],
)

const names = message(
  [1, 'plural', 'string', 'always'],
  [2, 'singular', 'string'],
  [3, 'shortNames', 'string', 'list'],
  [4, 'kind', 'string', 'always'],
  [5, 'listKind', 'string'],
  [6, 'categories', 'string', 'list'],
)
const column = message(
  [1, 'name', 'string', 'always'],
  [2, 'type', 'string', 'always'],
  [3, 'format', 'string'],
  [4, 'description', 'string'],
  [5, 'priority', 'int32'],
  [6, 'jsonPath', 'string', 'always'],
)
const scale = message(
  [1, 'specReplicasPath', 'string', 'always'],
  [2, 'statusReplicasPath', 'string', 'always'],
  [3, 'labelSelectorPath', 'string', 'pointer'],
)
const nothing = message()
const subresources = message([1, 'status', () => nothing, 'pointer'], [2, 'scale', () => scale, 'pointer'])
const validation = message([1, 'openAPIV3Schema', self, 'pointer'])
const selectableField = message([1, 'jsonPath', 'string', 'always'])

const version = message(
  [1, 'name', 'string', 'always'],
  [2, 'served', 'bool', 'always'],
  [3, 'storage', 'bool', 'always'],
  [4, 'schema', () => validation, 'pointer'],
  [5, 'subresources', () => subresources, 'pointer'],
  [6, 'additionalPrinterColumns', () => column, 'list'],
  [7, 'deprecated', 'bool'],
  [8, 'deprecationWarning', 'string', 'pointer'],
  [9, 'selectableFields', () => selectableField, 'list'],
)

const serviceReference = message(
  [1, 'namespace', 'string', 'always'],
  [2, 'name', 'string', 'always'],
  [3, 'path', 'string', 'pointer'],
  [4, 'port', 'int32', 'pointer'],
)
const clientConfig = message(
  [1, 'service', () => serviceReference, 'pointer'],
  [2, 'caBundle', 'bytes'],
  [3, 'url', 'string', 'pointer'],
)
const webhook = message(
  [2, 'clientConfig', () => clientConfig, 'pointer'],
  [3, 'conversionReviewVersions', 'string', 'list'],
)
const conversion = message([1, 'strategy', 'string', 'always'], [2, 'webhook', () => webhook, 'pointer'])

const spec = message(
  [1, 'group', 'string', 'always'],
  [3, 'names', () => names, 'always'],
  [4, 'scope', 'string', 'always'],
  [7, 'versions', () => version, 'list'],
  [9, 'conversion', () => conversion, 'pointer'],
  [10, 'preserveUnknownFields', 'bool'],
)
const condition = message(
  [1, 'type', 'string', 'always'],
  [2, 'status', 'string', 'always'],
  [3, 'lastTransitionTime', 'time'],
  [4, 'reason', 'string'],
  [5, 'message', 'string'],
  [6, 'observedGeneration', 'int64'],
)
const status = message(
  [1, 'conditions', () => condition, 'list'],
  [2, 'acceptedNames', () => names],
  [3, 'storedVersions', 'string', 'list'],
  [4, 'observedGeneration', 'int64'],
)

export const customResourceDefinition = message(
  [1, 'metadata', () => objectMeta],
  [2, 'spec', () => spec, 'always'],
  [3, 'status', () => status],
)
