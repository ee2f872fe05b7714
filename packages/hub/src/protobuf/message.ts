/** How the tables describe messages: field number, JSON name, type, and when a value appears in JSON. */

export type Scalar = 'string' | 'bytes' | 'bool' | 'int32' | 'int64' | 'double'

/** Messages that JSON writes as something else than an object. */
export type Special =
  | 'time'
  | 'microTime'
  /** `{Raw: bytes}` that holds JSON: `FieldsV1`. */
  | 'rawJson'
  /** `JSONSchemaPropsOrArray`, `…OrBool`, `…OrStringArray`: a schema, or the other thing. */
  | 'schemaOrList'
  | 'schemaOrBoolean'
  | 'schemaOrNames'
  /** `ExtraValue`: a list of strings. */
  | 'strings'

export type FieldType = Scalar | Special | (() => Message)

/**
 * When a field appears in JSON, after its Go type: `zero` leaves out zero values (`omitempty`), `pointer`
 * keeps whatever was sent, `always` writes the zero value even when nothing was sent.
 */
export type Presence = 'zero' | 'pointer' | 'always'

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly shape: 'one' | 'list' | 'map'
  readonly presence: Presence
}

export type Message = ReadonlyMap<number, Field>

type Column = readonly [number, string, FieldType, Presence?] | readonly [number, string, FieldType, 'list' | 'map']

/** A message from rows of `[number, jsonName, type, presence or shape]`. */
export function message(...rows: readonly Column[]): Message {
  return new Map(
    rows.map(([number, name, type, extra = 'zero']) => {
      const isShape = extra === 'list' || extra === 'map'
      return [number, { name, type, shape: isShape ? extra : 'one', presence: isShape ? 'zero' : extra }]
    }),
  )
}
