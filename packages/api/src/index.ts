/** `@orrery/api`: the data and the pure rules of the Kubernetes API. Imports nothing that does I/O. */

export type { ApiErrorOptions, Status, StatusCause, StatusDetails, StatusReason } from './api-error.ts'
export {
  ApiError,
  isAlreadyExists,
  isConflict,
  isExpired,
  isForbidden,
  isInvalid,
  isNotFound,
  isThrottled,
} from './api-error.ts'
export type { ApplyInput, ApplyOutcome, FieldConflict, UpdateInput } from './apply/managed-fields.ts'
export { applyServerSide, trackUpdate } from './apply/managed-fields.ts'
export type {
  ConfigMap,
  CustomResourceDefinition,
  Event,
  Lease,
  Namespace,
  ObjectReference,
  Secret,
} from './builtin.ts'
export {
  configMaps,
  customResourceDefinitions,
  events,
  leases,
  namespaces,
  secrets,
  serviceAccounts,
} from './builtin.ts'
export { findCondition, isTrue, setCondition } from './conditions.ts'
export type { FieldError } from './field-error.ts'
export {
  duplicate,
  forbidden,
  formatFieldValue,
  invalid,
  notSupported,
  quoteGo,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from './field-error.ts'
export type { HttpHandler, HttpHeaders, HttpRequest, HttpResponse } from './http.ts'
export type { Json, JsonArray, JsonLimits, JsonObject, MutableJsonObject, ParsedJson } from './json/json.ts'
export {
  cloneJson,
  cloneObject,
  defaultJsonLimits,
  equalJson,
  getKey,
  isJsonArray,
  isJsonObject,
  JsonError,
  setKey,
} from './json/json.ts'
export { parseJson } from './json/parse.ts'
export { canonicalJson, stringifyJson } from './json/stringify.ts'
export { formatYaml, parseYaml, parseYamlDocuments } from './json/yaml.ts'
export type { Kind, ResourceInfo } from './kind.ts'
export { apiVersionOf, qualifiedResource, resourcePath } from './kind.ts'
export {
  checkConfigKey,
  checkDns1035Label,
  checkDnsLabel,
  checkDnsSubdomain,
  checkLabelValue,
  checkPathSegment,
  checkQualifiedName,
} from './names.ts'
export type {
  Condition,
  KubeObject,
  ListMeta,
  ManagedFieldsEntry,
  ObjectKey,
  ObjectMeta,
  OwnerReference,
  ResourceObject,
} from './object.ts'
export { formatKey, formatMicroTime, formatTime, keyOf, parseKey } from './object.ts'
export { checkObjectMeta, finalizerWarnings } from './object-meta.ts'
export { applyJsonPatch } from './patch/json-patch.ts'
export { applyMergePatch, createMergePatch } from './patch/merge-patch.ts'
export { PatchError } from './patch/patch-error.ts'
export { applyStrategicMerge } from './patch/strategic-merge.ts'
export type { Clock, LogFields, Logger, Random } from './ports.ts'
export { silentLogger, sleep } from './ports.ts'
export type { ObjectType, OptionalSchema, Schema, TypeOf } from './schema/builder.ts'
export {
  anyObject,
  array,
  boolean,
  integer,
  map,
  number,
  object,
  oneOf,
  optional,
  string,
  withDefault,
} from './schema/builder.ts'
export { checkStructural } from './schema/check-structural.ts'
export { formatCheck } from './schema/formats.ts'
export type { JsonSchema } from './schema/json-schema.ts'
export { objectMetaSchema } from './schema/object-meta-schema.ts'
export type { ParsedSchema } from './schema/parse-schema.ts'
export { parseJsonSchema } from './schema/parse-schema.ts'
export type { StructuralSchema } from './schema/structural.ts'
export { compileSchema } from './schema/structural.ts'
export type { FieldRequirement, LabelSelector, LabelSelectorSpec } from './selector.ts'
export {
  formatLabelSelector,
  labelSelectorOf,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from './selector.ts'
export type { LabelRequirement } from './selector-parser.ts'
export { SelectorError } from './selector-parser.ts'
