import {
  checkDnsSubdomain,
  checkQualifiedName,
  events,
  type FieldError,
  invalid,
  type JsonObject,
  required,
} from '@orrery/api'
import type { ResourceDefinition, TableColumn } from './builtin.ts'
import { ageOf, column, metadataOf, nameColumn } from './columns.ts'
import { numberAt, objectAt, textAt } from './fields.ts'
import { int32, kindSchema, microTime, object, text, time } from './kind-schema.ts'

const maxActionLength = 128
const maxReasonLength = 128
const maxInstanceLength = 128
const maxNoteLength = 1024

const references = {
  apiVersion: text('API version of the referent.'),
  fieldPath: text('A part of the referent, as a path, for example spec.containers{name}.'),
  kind: text('Kind of the referent.'),
  name: text('Name of the referent.'),
  namespace: text('Namespace of the referent.'),
  resourceVersion: text('Specific resourceVersion to which this reference is made, if any.'),
  uid: text('UID of the referent.'),
}

/** `v1 ObjectReference`. */
export const objectReference = {
  ...object(
    'ObjectReference contains enough information to let you inspect or modify the referred object.',
    references,
  ),
  'x-kubernetes-map-type': 'atomic' as const,
}

const nullable = { nullable: true } as const

const schema = kindSchema(
  events,
  'Event is a report of something that happened. Events have a limited retention time and should be treated as informative, best-effort, supplemental data.',
  {
    required: ['involvedObject'],
    properties: {
      action: text('What action was taken or failed regarding the object.'),
      count: int32('The number of times this event has occurred.'),
      eventTime: { ...microTime('Time when this Event was first observed.'), ...nullable },
      firstTimestamp: { ...time('The time at which the event was first recorded.'), ...nullable },
      involvedObject: { ...objectReference, description: 'The object that this event is about.' },
      lastTimestamp: {
        ...time('The time at which the most recent occurrence of this event was recorded.'),
        ...nullable,
      },
      message: text('A description of the status of this operation, for people.'),
      reason: text(
        'A short, machine understandable string that gives the reason for the transition into the current status.',
      ),
      related: { ...objectReference, description: 'An optional secondary object for more complex actions.' },
      reportingComponent: text('Name of the controller that emitted this Event, for example kubernetes.io/kubelet.'),
      reportingInstance: text('ID of the controller instance, for example kubelet-xyzf.'),
      series: object('Data about the series this event represents, or nothing if it is a singleton.', {
        count: int32('Number of occurrences in this series up to the last heartbeat time.'),
        lastObservedTime: { ...microTime('Time of the last occurrence observed.'), ...nullable },
      }),
      source: object('The component reporting this event.', {
        component: text('Component from which the event is generated.'),
        host: text('Node name on which the event is generated.'),
      }),
      type: text('Type of this event: Normal or Warning; new types could be added.'),
    },
  },
)

export const eventDefinition: ResourceDefinition = {
  info: events,
  schema,
  custom: false,
  status: false,
  generation: false,
  unconditionalUpdate: true,
  createOnUpdate: true,
  checkName: checkDnsSubdomain,
  selectableFields: [
    ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
      (name) => `involvedObject.${name}`,
    ),
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  fieldsOf: eventFields,
  columns: eventColumns(),
  validate: validateEvent,
}

function eventFields(event: JsonObject): Readonly<Record<string, string>> {
  const involved = objectAt(event, 'involvedObject')
  const fields = Object.keys(references).map((name) => [`involvedObject.${name}`, textAt(involved, name)])
  const reporter = textAt(event, 'reportingComponent')
  return {
    ...Object.fromEntries(fields),
    reason: textAt(event, 'reason'),
    reportingComponent: reporter,
    source: textAt(objectAt(event, 'source'), 'component') || reporter,
    type: textAt(event, 'type'),
  }
}

function since(moment: string, nowMs: number): string {
  return moment === '' ? '<unknown>' : ageOf(moment, nowMs)
}

function firstSeen(event: JsonObject, nowMs: number): string {
  return since(textAt(event, 'firstTimestamp') || textAt(event, 'eventTime'), nowMs)
}

function lastSeen(event: JsonObject, nowMs: number): string {
  if (Object.hasOwn(event, 'series')) return since(textAt(objectAt(event, 'series'), 'lastObservedTime'), nowMs)
  const last = textAt(event, 'lastTimestamp')
  return last === '' ? firstSeen(event, nowMs) : since(last, nowMs)
}

function eventColumns(): readonly TableColumn[] {
  const wide = { priority: 1 } as const
  const involved = (event: JsonObject) => objectAt(event, 'involvedObject')
  return [
    column('Last Seen', 'The time at which the most recent occurrence of this event was recorded.', lastSeen),
    column('Type', 'Type of this event (Normal, Warning), new types could be added in the future', (event) =>
      textAt(event, 'type'),
    ),
    column('Reason', 'The reason for the transition into the current status.', (event) => textAt(event, 'reason')),
    column('Object', 'The object that this event is about.', (event) => {
      const kind = textAt(involved(event), 'kind').toLowerCase()
      const name = textAt(involved(event), 'name')
      return name === '' ? kind : `${kind}/${name}`
    }),
    column('Subobject', 'The part of the object.', (event) => textAt(involved(event), 'fieldPath'), wide),
    column('Source', 'The component reporting this event.', sourceOf, wide),
    column('Message', 'A human-readable description of the status of this operation.', (event) =>
      textAt(event, 'message').trim(),
    ),
    column('First Seen', 'The time at which the event was first recorded.', firstSeen, wide),
    column('Count', 'The number of times this event has occurred.', countOf, wide),
    { ...nameColumn, ...wide },
  ]
}

function sourceOf(event: JsonObject): string {
  const source = objectAt(event, 'source')
  const component = textAt(source, 'component') || textAt(event, 'reportingComponent')
  const instance = textAt(source, 'host') || textAt(event, 'reportingInstance')
  return instance === '' ? component : `${component}, ${instance}`
}

function countOf(event: JsonObject): number {
  if (Object.hasOwn(event, 'series')) return numberAt(objectAt(event, 'series'), 'count') ?? 0
  return numberAt(event, 'count') || 1
}

function validateEvent(event: JsonObject): FieldError[] {
  const namespace = textAt(metadataOf(event), 'namespace')
  const about = textAt(objectAt(event, 'involvedObject'), 'namespace')
  const isNew = textAt(event, 'eventTime') !== ''
  const mismatch = invalid('involvedObject.namespace', about, 'does not match event.namespace')
  if (!isNew) {
    const matches = about === '' ? namespace === '' || namespace === 'default' : about === namespace
    return matches ? [] : [mismatch]
  }
  const errors = about === '' && namespace !== 'default' && namespace !== 'kube-system' ? [mismatch] : []
  const reporter = textAt(event, 'reportingComponent')
  if (reporter === '') errors.push(required('reportingComponent'))
  for (const detail of checkQualifiedName(reporter)) errors.push(invalid('reportingComponent', reporter, detail))
  return [
    ...errors,
    ...checkText(event, 'reportingInstance', maxInstanceLength),
    ...checkText(event, 'action', maxActionLength),
    ...checkText(event, 'reason', maxReasonLength),
    ...checkText(event, 'message', maxNoteLength, true),
  ]
}

function checkText(event: JsonObject, field: string, maxLength: number, optional = false): FieldError[] {
  const value = textAt(event, field)
  if (value === '' && !optional) return [required(field)]
  return value.length > maxLength ? [invalid(field, '', `can have at most ${maxLength} characters`)] : []
}
