import type { JsonSchema } from '@orrery/api'
import { equalJson } from '@orrery/api'

/** One field in which the outside differs from what is desired. Never holds a secret. */
export interface Difference {
  /** `owner`, `parameters.work_mem`: relative to `forProvider`. */
  readonly path: string
  readonly desired: unknown
  readonly actual: unknown
  /** The field cannot be changed in place. */
  readonly immutable: boolean
}

/** `status.drift` and events show at most so many fields; the rest is counted. */
export const MAX_DIFFERENCES = 32
/** A value longer than this is shortened in status and events. */
const MAX_VALUE_LENGTH = 256

/** Shown in place of a value that is secret. */
export const REDACTED = '(sensitive)'

/**
 * Compares what the user asked for with what was observed, field by field, over the kind's schema.
 * A field counts only when the user gave it and the observation names it: what was left out is not drift.
 * Objects are compared by field; lists and maps of a set type ignore order; everything else as JSON.
 */
export function differences(
  desired: Readonly<Record<string, unknown>>,
  observed: Readonly<Record<string, unknown>>,
  schema: JsonSchema,
): readonly Difference[] {
  const found: Difference[] = []
  collect(desired, observed, schema, '', found)
  return found
}

function collect(
  desired: Readonly<Record<string, unknown>>,
  observed: Readonly<Record<string, unknown>>,
  schema: JsonSchema,
  prefix: string,
  found: Difference[],
): void {
  for (const [name, want] of Object.entries(desired)) {
    if (want === undefined || !Object.hasOwn(observed, name)) continue
    const have = observed[name]
    if (have === undefined) continue
    const field = schema.properties?.[name]
    const path = prefix === '' ? name : `${prefix}.${name}`
    if (field?.properties !== undefined && isRecord(want) && isRecord(have)) {
      collect(want, have, field, path, found)
      continue
    }
    if (field?.additionalProperties !== undefined && isRecord(want) && isRecord(have)) {
      collectMap(want, have, { field, path, found })
      continue
    }
    if (equalFor(field, want, have)) continue
    found.push(difference(field, path, want, have))
  }
}

// Every key the user gave must be there with its value; keys that only the outside has are not the user's.
function collectMap(
  want: Readonly<Record<string, unknown>>,
  have: Readonly<Record<string, unknown>>,
  at: { readonly field: JsonSchema; readonly path: string; readonly found: Difference[] },
): void {
  for (const [key, value] of Object.entries(want)) {
    if (equalJson(value, have[key])) continue
    at.found.push(difference(at.field, `${at.path}.${key}`, value, have[key] ?? null))
  }
}

function difference(field: JsonSchema | undefined, path: string, want: unknown, have: unknown): Difference {
  const sensitive = field?.['x-orrery-sensitive'] === true
  return {
    path,
    desired: sensitive ? REDACTED : want,
    actual: sensitive ? REDACTED : have,
    immutable: field?.['x-orrery-immutable'] === true,
  }
}

function equalFor(field: JsonSchema | undefined, want: unknown, have: unknown): boolean {
  if (field?.['x-kubernetes-list-type'] === 'set' && Array.isArray(want) && Array.isArray(have)) {
    const order = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).toSorted()
    return equalJson(order(want), order(have))
  }
  return equalJson(want, have)
}

/** A value as status and events show it: bounded, secrets replaced before they come here. */
export function showValue(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null')
  return text.length <= MAX_VALUE_LENGTH ? text : `${text.slice(0, MAX_VALUE_LENGTH)}… (${text.length} characters)`
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
