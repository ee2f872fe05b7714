import type { JsonSchema } from './json-schema.ts'

const text = (description: string): JsonSchema => ({ type: 'string', description })
const time = (description: string): JsonSchema => ({ type: 'string', format: 'date-time', description })
const textMap = (description: string): JsonSchema => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string', default: '' },
})

const ownerReference: JsonSchema = {
  type: 'object',
  description:
    'OwnerReference names an owner of this object: a dependent is garbage collected when all its owners are gone.',
  required: ['apiVersion', 'kind', 'name', 'uid'],
  properties: {
    apiVersion: text('API version of the owner.'),
    blockOwnerDeletion: {
      type: 'boolean',
      description: 'If true, the owner is not removed in a foreground deletion until this reference is gone.',
    },
    controller: { type: 'boolean', description: 'If true, this reference points to the managing controller.' },
    kind: text('Kind of the owner.'),
    name: text('Name of the owner.'),
    uid: text('UID of the owner.'),
  },
  'x-kubernetes-map-type': 'atomic',
}

const managedFieldsEntry: JsonSchema = {
  type: 'object',
  description: 'ManagedFieldsEntry says which fields a manager owns, by which operation, at which version.',
  properties: {
    apiVersion: text('Version of the resource that this field set applies to, for example "v1".'),
    fieldsType: text('Format of fieldsV1. The only possible value is "FieldsV1".'),
    fieldsV1: {
      type: 'object',
      description: 'The owned fields as a trie.',
      'x-kubernetes-preserve-unknown-fields': true,
    },
    manager: text('Identifier of the workflow that manages these fields.'),
    operation: text('The operation that created the entry: "Apply" or "Update".'),
    subresource: text('Name of the subresource through which the fields were written, or empty for the main resource.'),
    time: time('When the set of owned fields last changed.'),
  },
}

/** `meta.v1.ObjectMeta` with the list types that field management and strategic merge use. */
export const objectMetaSchema: JsonSchema = {
  type: 'object',
  description:
    'ObjectMeta is the metadata that every persisted object has, which includes all objects that users create.',
  properties: {
    annotations: textMap(
      'Annotations is an unstructured key value map that external tools may set to keep arbitrary metadata. It cannot be used in selectors and is preserved when objects are modified.',
    ),
    creationTimestamp: {
      ...time('When the server created this object. Set by the server, read-only, in UTC.'),
      nullable: true,
    },
    deletionGracePeriodSeconds: {
      type: 'integer',
      format: 'int64',
      description: 'Seconds that this object may take to terminate gracefully before it is removed. Read-only.',
    },
    deletionTimestamp: time(
      'When this object was asked to be deleted. Set by the server on a graceful deletion, read-only.',
    ),
    finalizers: {
      type: 'array',
      description:
        'Must be empty before the object is removed. Each entry names a component that will remove it; while deletionTimestamp is set, entries can only be removed.',
      items: { type: 'string', default: '' },
      'x-kubernetes-list-type': 'set',
      'x-kubernetes-patch-strategy': 'merge',
    },
    generateName: text(
      'An optional prefix from which the server makes a unique name when no name is given: five random characters are appended.',
    ),
    generation: {
      type: 'integer',
      format: 'int64',
      description: 'A sequence number of the desired state. Set by the server, read-only.',
    },
    labels: textMap('Map of string keys and values that organize and select objects.'),
    managedFields: {
      type: 'array',
      description: 'Which workflow manages which fields. Kept by the server; users rarely need to set or read it.',
      items: managedFieldsEntry,
      'x-kubernetes-list-type': 'atomic',
    },
    name: text('Name must be unique within a namespace. It is required when creating resources and cannot be updated.'),
    namespace: text(
      'Namespace is the space within which each name must be unique. Must be a DNS label and cannot be updated; empty for cluster-scoped objects.',
    ),
    ownerReferences: {
      type: 'array',
      description:
        'The objects that this object depends on. When all of them are gone, this object is garbage collected.',
      items: ownerReference,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['uid'],
      'x-kubernetes-patch-strategy': 'merge',
      'x-kubernetes-patch-merge-key': 'uid',
    },
    resourceVersion: text(
      'An opaque value that changes with every write of this object. Use it for optimistic concurrency, change detection and watches; never compare it but for equality.',
    ),
    selfLink: text('A legacy field that the system no longer fills.'),
    uid: text('Unique in time and space. Set by the server on creation, read-only.'),
  },
}
