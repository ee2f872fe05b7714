import type { JsonSchema } from './json-schema.ts'

/**
 * Schemas whose TypeScript type follows from their value:
 *
 * ```ts
 * const spec = object({ owner: optional(string({ maxLength: 63 })), port: withDefault(integer({ minimum: 1 }), 5432) })
 * type Spec = TypeOf<typeof spec> // { readonly owner?: string; readonly port: number }
 * ```
 */
export interface Schema<T> {
  readonly json: JsonSchema
  readonly optional: boolean
  readonly [valueType]?: T
}
declare const valueType: unique symbol

export type TypeOf<S> = S extends Schema<infer T> ? T : never

export interface OptionalSchema<T> extends Schema<T> {
  readonly optional: true
}

type Properties = Readonly<Record<string, Schema<unknown>>>
type RequiredKeys<P extends Properties> = { [K in keyof P]: P[K] extends OptionalSchema<unknown> ? never : K }[keyof P]
type OptionalKeys<P extends Properties> = Exclude<keyof P, RequiredKeys<P>>
export type ObjectType<P extends Properties> = {
  readonly [K in RequiredKeys<P>]: TypeOf<P[K]>
} & { readonly [K in OptionalKeys<P>]?: TypeOf<P[K]> }

type Docs = Pick<
  JsonSchema,
  'description' | 'title' | 'example' | 'nullable' | 'x-orrery-sensitive' | 'x-orrery-immutable'
>
type StringOptions = Docs & Pick<JsonSchema, 'minLength' | 'maxLength' | 'pattern' | 'format'>
type NumberOptions = Docs & Pick<JsonSchema, 'minimum' | 'maximum' | 'multipleOf' | 'format'>
type ListOptions = Docs &
  Pick<JsonSchema, 'minItems' | 'maxItems' | 'x-kubernetes-list-type' | 'x-kubernetes-list-map-keys'>
type MapOptions = Docs & Pick<JsonSchema, 'minProperties' | 'maxProperties' | 'x-kubernetes-map-type'>

const schema = <T>(json: JsonSchema): Schema<T> => ({ json, optional: false })

export const string = (options: StringOptions = {}): Schema<string> => schema({ type: 'string', ...options })
export const integer = (options: NumberOptions = {}): Schema<number> => schema({ type: 'integer', ...options })
export const number = (options: NumberOptions = {}): Schema<number> => schema({ type: 'number', ...options })
export const boolean = (options: Docs = {}): Schema<boolean> => schema({ type: 'boolean', ...options })

/** One of the given strings. */
export const oneOf = <const V extends readonly string[]>(values: V, options: Docs = {}): Schema<V[number]> =>
  schema({ type: 'string', enum: values, ...options })

export const array = <T>(items: Schema<T>, options: ListOptions = {}): Schema<readonly T[]> =>
  schema({ type: 'array', items: items.json, ...options })

export const map = <T>(values: Schema<T>, options: MapOptions = {}): Schema<Readonly<Record<string, T>>> =>
  schema({ type: 'object', additionalProperties: values.json, ...options })

/** Any JSON object; nothing in it is pruned. */
export const anyObject = (options: Docs = {}): Schema<Readonly<Record<string, unknown>>> =>
  schema({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true, ...options })

export function object<P extends Properties>(properties: P, options: Docs = {}): Schema<ObjectType<P>> {
  // What has a default is filled in before validation, so writers need not give it.
  const required = Object.entries(properties)
    .filter(([, property]) => !property.optional && property.json.default === undefined)
    .map(([name]) => name)
  return schema({
    type: 'object',
    ...options,
    properties: Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, property.json])),
    ...(required.length === 0 ? {} : { required }),
  })
}

export const optional = <T>(inner: Schema<T>): OptionalSchema<T> => ({ json: inner.json, optional: true })

/** The server fills the default, so readers always see a value; writers may leave it out. */
export const withDefault = <T extends string | number | boolean>(inner: Schema<T>, value: T): Schema<T> => ({
  json: { ...inner.json, default: value },
  optional: false,
})
