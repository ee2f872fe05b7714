import type { Json, JsonObject } from '@orrery/api'
import type { TableColumn } from './builtin.ts'
import { objectAt, textAt } from './fields.ts'

/** Columns that many kinds share, and how Kubernetes prints an age. */

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const year = 365 * day

/** A duration for people, exact for short ones: `5s`, `2m30s`, `3h5m`, `6d2h`, `2y90d`. */
export function formatAge(ageMs: number): string {
  const seconds = Math.trunc(ageMs / second)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  if (ageMs < 10 * minute) return twoUnits(ageMs, [minute, 'm', second, 's'])
  if (ageMs < 3 * hour) return `${Math.floor(ageMs / minute)}m`
  if (ageMs < 8 * hour) return twoUnits(ageMs, [hour, 'h', minute, 'm'])
  if (ageMs < 2 * day) return `${Math.floor(ageMs / hour)}h`
  if (ageMs < 8 * day) return twoUnits(ageMs, [day, 'd', hour, 'h'])
  if (ageMs < 2 * year) return `${Math.floor(ageMs / day)}d`
  if (ageMs < 8 * year) return twoUnits(ageMs, [year, 'y', day, 'd'])
  return `${Math.floor(ageMs / year)}y`
}

function twoUnits(
  ageMs: number,
  [large, largeName, small, smallName]: readonly [number, string, number, string],
): string {
  const rest = Math.floor((ageMs % large) / small)
  return `${Math.floor(ageMs / large)}${largeName}${rest === 0 ? '' : `${rest}${smallName}`}`
}

/** The age of an RFC 3339 time; what is no time prints as `<invalid>`. */
export function ageOf(time: string, nowMs: number): string {
  const epochMs = Date.parse(time)
  return Number.isNaN(epochMs) ? '<invalid>' : formatAge(nowMs - epochMs)
}

export const metadataOf = (object: JsonObject): JsonObject => objectAt(object, 'metadata')

export function column(
  name: string,
  description: string,
  cell: (object: JsonObject, nowMs: number) => Json,
  more: Partial<Pick<TableColumn, 'type' | 'format' | 'priority'>> = {},
): TableColumn {
  return { name, type: 'string', priority: 0, description, cell, ...more }
}

export const nameColumn: TableColumn = column(
  'Name',
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names',
  (object) => textAt(metadataOf(object), 'name'),
  { format: 'name' },
)

const creationDescription =
  'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.'

/** `<unknown>` for an object that was never stored. */
export const ageColumn: TableColumn = column('Age', creationDescription, (object, nowMs) => {
  const time = textAt(metadataOf(object), 'creationTimestamp')
  return time === '' ? '<unknown>' : ageOf(time, nowMs)
})

/** Kinds without columns of their own show when they were made. */
export const createdAtColumn: TableColumn = column(
  'Created At',
  creationDescription,
  (object) => textAt(metadataOf(object), 'creationTimestamp'),
  { type: 'date' },
)
