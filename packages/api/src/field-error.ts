import { stringifyJson } from './json/stringify.ts'

/** One entry of a 422's message and `details.causes`. */
export interface FieldError {
  /** `spec.replicas`, `spec.items[0].name`, `metadata.labels[a.b/c]`, or empty for the root. */
  readonly path: string
  /** `FieldValueRequired`, `FieldValueInvalid`, `FieldValueNotSupported`, … */
  readonly reason: string
  /** `Required value`, `Invalid value: "x": must be …`: what Kubernetes prints after the path. */
  readonly message: string
}

/** A string as Go's `%q` prints it: like JSON, but with `\x00` for control characters. */
export function quoteGo(text: string): string {
  return JSON.stringify(text).replace(/\\u00([01][0-9a-f])/g, (_, digits: string) => {
    if (digits === '07') return '\\a'
    return digits === '0b' ? '\\v' : `\\x${digits}`
  })
}

/** A value as it stands in a field error: strings quoted, everything else as compact JSON. */
export function formatFieldValue(value: unknown): string {
  return typeof value === 'string' ? quoteGo(value) : stringifyJson(value)
}

const withDetail = (text: string, detail: string): string => (detail === '' ? text : `${text}: ${detail}`)

/** `Required value`. */
export function required(path: string, detail = ''): FieldError {
  return { path, reason: 'FieldValueRequired', message: withDetail('Required value', detail) }
}

/** `Invalid value: <value>: <detail>`. */
export function invalid(path: string, value: unknown, detail: string): FieldError {
  return { path, reason: 'FieldValueInvalid', message: withDetail(`Invalid value: ${formatFieldValue(value)}`, detail) }
}

/** Like {@link invalid} for a value of the wrong JSON type; `type` names what was found. */
export function typeInvalid(path: string, type: string, detail: string): FieldError {
  return { path, reason: 'FieldValueTypeInvalid', message: withDetail(`Invalid value: ${quoteGo(type)}`, detail) }
}

/** `Unsupported value: <value>: supported values: "a", "b"`. */
export function notSupported(path: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map(quoteGo).join(', ')
  const message = `Unsupported value: ${formatFieldValue(value)}`
  return {
    path,
    reason: 'FieldValueNotSupported',
    message: list === '' ? message : `${message}: supported values: ${list}`,
  }
}

/** `Duplicate value: <value>`. */
export function duplicate(path: string, value: unknown): FieldError {
  return { path, reason: 'FieldValueDuplicate', message: `Duplicate value: ${formatFieldValue(value)}` }
}

/** `Forbidden: <detail>`. */
export function forbidden(path: string, detail: string): FieldError {
  return { path, reason: 'FieldValueForbidden', message: withDetail('Forbidden', detail) }
}

/** `Too long: may not be more than N bytes`. Never prints the value. */
export function tooLong(path: string, maxBytes: number): FieldError {
  const unit = maxBytes === 1 ? 'byte' : 'bytes'
  return { path, reason: 'FieldValueTooLong', message: `Too long: may not be more than ${maxBytes} ${unit}` }
}

/** `Too many: 4: must have at most 3 items`. */
export function tooMany(path: string, count: number, max: number): FieldError {
  const unit = max === 1 ? 'item' : 'items'
  return { path, reason: 'FieldValueTooMany', message: `Too many: ${count}: must have at most ${max} ${unit}` }
}
