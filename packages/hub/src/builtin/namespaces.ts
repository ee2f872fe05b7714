import { checkDnsLabel, isJsonArray, type JsonObject, namespaces } from '@orrery/api'
import type { ResourceDefinition } from './builtin.ts'
import { ageColumn, column, metadataOf, nameColumn } from './columns.ts'
import { assign, objectAt, textAt } from './fields.ts'
import { atomicList, kindSchema, listMap, object, text, time } from './kind-schema.ts'

/** Every namespace carries its own name as a label, so that selectors can name namespaces. */
const nameLabel = 'kubernetes.io/metadata.name'

const condition = object(
  'NamespaceCondition contains details about the state of a namespace.',
  {
    lastTransitionTime: { ...time('Last time the condition changed from one status to another.'), nullable: true },
    message: text('A message for people about the last transition.'),
    reason: text('A one-word reason for the last transition.'),
    status: text('Status of the condition: True, False or Unknown.'),
    type: text('Type of the condition of the namespace controller.'),
  },
  ['type', 'status'],
)

const schema = kindSchema(namespaces, 'Namespace provides a scope for names. Use of multiple namespaces is optional.', {
  properties: {
    spec: object('Spec defines the behavior of the namespace.', {
      finalizers: atomicList(
        'An opaque list of values that must be empty before the namespace is removed from storage.',
        text('Name of a finalizer.'),
      ),
    }),
    status: object('Status describes the current state of the namespace.', {
      conditions: listMap('The latest available observations of the state of the namespace.', condition, 'type'),
      phase: text('The current lifecycle phase of the namespace: Active or Terminating.'),
    }),
  },
})

export const namespaceDefinition: ResourceDefinition = {
  info: namespaces,
  schema,
  custom: false,
  status: true,
  generation: false,
  unconditionalUpdate: true,
  createOnUpdate: false,
  checkName: checkDnsLabel,
  selectableFields: ['status.phase', 'name'],
  fieldsOf: (namespace) => ({
    'status.phase': textAt(objectAt(namespace, 'status'), 'phase'),
    name: textAt(metadataOf(namespace), 'name'),
  }),
  columns: [
    nameColumn,
    column('Status', 'The status of the namespace', (namespace) => textAt(objectAt(namespace, 'status'), 'phase')),
    ageColumn,
  ],
  prepare: prepareNamespace,
}

/** The label comes back whatever a client does; the finalizer is set once, by the server. */
function prepareNamespace(namespace: JsonObject, old: JsonObject | undefined): void {
  const metadata = metadataOf(namespace)
  const name = textAt(metadata, 'name')
  const labels = objectAt(metadata, 'labels')
  if (name !== '' && labels[nameLabel] !== name) {
    assign(namespace, { metadata: { ...metadata, labels: { ...labels, [nameLabel]: name } } })
  }
  const spec = objectAt(namespace, 'spec')
  const { finalizers } = spec
  if (old === undefined) {
    const given = isJsonArray(finalizers) ? finalizers : []
    if (!given.includes('kubernetes')) assign(namespace, { spec: { ...spec, finalizers: [...given, 'kubernetes'] } })
  } else if (!isJsonArray(finalizers)) {
    const live = objectAt(old, 'spec')['finalizers']
    if (live !== undefined) assign(namespace, { spec: { ...spec, finalizers: live } })
  }
}
