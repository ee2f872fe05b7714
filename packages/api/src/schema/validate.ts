import { invalid, notSupported, quoteGo, required, tooLong, tooMany, typeInvalid } from '../field-error.ts'
import { equalJson, isJsonArray, isJsonObject, type Json, type JsonObject } from '../json/json.ts'
import { formatPath } from '../json/scanner.ts'
import { formatCheck } from './formats.ts'
import type { JsonSchema } from './json-schema.ts'
import { compileJunctors } from './junctors.ts'
import { compileListRule } from './list-rules.ts'
import { lazyPattern } from './pattern.ts'
import { fieldOf, type Validate, type ValidationContext } from './validation-context.ts'

/** Validation of a value against one schema node, compiled to a closure. Paths are built only for errors. */

/** Compiles one node. Junctor branches carry value validations only, and compile the same way. */
export function compileValidate(schema: JsonSchema): Validate {
  const checks = [
    compileType(schema),
    compileEnum(schema),
    compileStringRules(schema),
    compileNumberRules(schema),
    compileArray(schema),
    compileObject(schema),
    compileEmbedded(schema),
    compileJunctors(schema, compileValidate),
  ].filter((check) => check !== undefined)
  const { nullable } = schema
  const [only] = checks
  const all: Validate =
    checks.length === 1 && only !== undefined
      ? only
      : (value, context, old) => {
          for (const check of checks) check(value, context, old)
        }
  return (value, context, old) => {
    if (value === null && nullable === true) return
    const before = context.errors.length
    all(value, context, old)
    // Ratcheting is decided only where something is wrong, so a valid object pays nothing for it.
    if (context.errors.length > before && old !== undefined && equalJson(value, old)) context.errors.length = before
  }
}

function typeOf(value: Json): string {
  if (value === null) return 'null'
  if (isJsonArray(value)) return 'array'
  if (typeof value === 'bigint') return 'integer'
  if (typeof value === 'number') return isInteger(value) ? 'integer' : 'number'
  return typeof value
}

/** An integral number beyond int64 is a float to Go. */
const isInteger = (value: number): boolean => Number.isInteger(value) && Math.abs(value) < 2 ** 63

function compileType(schema: JsonSchema): Validate | undefined {
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true
  const want = isIntOrString ? 'integer,string' : schema.type
  if (want === undefined || want === '') return undefined
  const accepts = (actual: string): boolean => {
    if (isIntOrString) return actual === 'integer' || actual === 'string'
    return actual === want || (want === 'number' && actual === 'integer')
  }
  return (value, context) => {
    const actual = typeOf(value)
    if (accepts(actual)) return
    const detail = `${context.place} in body must be of type ${want}: ${quoteGo(actual)}`
    context.add(typeInvalid(fieldOf(context), actual, detail))
  }
}

function compileEnum(schema: JsonSchema): Validate | undefined {
  const values = schema.enum
  if (values === undefined) return undefined
  const scalars = new Set<Json>(values.filter((value) => typeof value !== 'object' || value === null))
  const supported = values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value, bigintText)))
  return (value, context) => {
    if (scalars.has(value) || values.some((candidate) => equalJson(candidate, value))) return
    context.add(notSupported(fieldOf(context), value, supported))
  }
}

const bigintText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)

function compileStringRules(schema: JsonSchema): Validate | undefined {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema
  const matches = pattern === undefined || pattern === '' ? undefined : lazyPattern(pattern)
  const hasFormat = format === undefined || schema.type === 'integer' ? undefined : formatCheck(format)
  const hasLength = minLength > 0 || maxLength !== Number.POSITIVE_INFINITY
  if (!hasLength && matches === undefined && hasFormat === undefined) return undefined
  const isSecret = schema['x-orrery-sensitive'] === true
  return (text, context) => {
    if (typeof text !== 'string') return
    const value = isSecret ? redacted : text
    const length = hasLength ? runeLength(text, minLength, maxLength) : 0
    if (length > maxLength) context.add(tooLong(fieldOf(context), maxLength))
    else if (length < minLength) fail(context, value, `should be at least ${minLength} chars long`)
    else if (matches !== undefined && !matches(text)) fail(context, value, `should match '${pattern}'`)
    if (hasFormat === undefined || hasFormat(text)) return
    const detail = `${context.place} in body must be of type ${format}: ${quoteGo(value)}`
    context.add(typeInvalid(fieldOf(context), value, detail))
  }
}

/** Stands in errors for a value of which the schema says that it is a secret. */
const redacted = '<secret contents redacted>'

/** Code points are counted only where the UTF-16 length leaves a doubt. */
function runeLength(text: string, min: number, max: number): number {
  if (text.length <= max && text.length >= 2 * min) return text.length
  let surrogates = 0
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) surrogates++
  return text.length - surrogates
}

function fail(context: ValidationContext, value: Json, rule: string): void {
  context.add(invalid(fieldOf(context), value, `${context.place} in body ${rule}`))
}

function compileNumberRules(schema: JsonSchema): Validate | undefined {
  const { minimum, maximum, multipleOf, exclusiveMinimum = false, exclusiveMaximum = false } = schema
  if (minimum === undefined && maximum === undefined && multipleOf === undefined) return undefined
  return (value, context) => {
    if (typeof value !== 'number' && typeof value !== 'bigint') return
    if (multipleOf !== undefined && !isMultiple(value, multipleOf))
      fail(context, value, `should be a multiple of ${multipleOf}`)
    if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
      fail(context, value, `should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`)
    }
    if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
      fail(context, value, `should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`)
    }
  }
}

function isMultiple(value: number | bigint, factor: number): boolean {
  if (typeof value === 'bigint' && Number.isInteger(factor)) return value % BigInt(factor) === 0n
  return Number.isInteger(Number(value) / factor)
}

function compileArray(schema: JsonSchema): Validate | undefined {
  const { minItems, maxItems } = schema
  const items = schema.items === undefined ? undefined : compileValidate(schema.items)
  const listRule = compileListRule(schema)
  if (items === undefined && minItems === undefined && maxItems === undefined && listRule === undefined)
    return undefined
  return (value, context, old) => {
    if (!isJsonArray(value)) return
    if (minItems !== undefined && value.length < minItems) {
      context.add(
        invalid(fieldOf(context), value.length, `${context.place} in body should have at least ${minItems} items`),
      )
    }
    if (maxItems !== undefined && value.length > maxItems)
      context.add(tooMany(fieldOf(context), value.length, maxItems))
    const correlate = listRule?.check(value, context, isJsonArray(old) ? old : undefined)
    if (items === undefined) return
    for (let i = 0; i < value.length; i++) {
      context.path.push(i)
      items(value[i] ?? null, context, correlate?.(value[i] ?? null))
      context.path.pop()
    }
  }
}

function compileObject(schema: JsonSchema): Validate | undefined {
  const fields = new Map(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, compileValidate(property)]),
  )
  const additional =
    typeof schema.additionalProperties === 'object' ? compileValidate(schema.additionalProperties) : undefined
  const { minProperties, maxProperties, required: names = [] } = schema
  const isBounded = minProperties !== undefined || maxProperties !== undefined
  if (fields.size === 0 && additional === undefined && names.length === 0 && !isBounded) return undefined
  return (value, context, old) => {
    if (!isJsonObject(value)) return
    if (isBounded) checkSize(value, context, schema)
    for (const name of names) {
      if (!Object.hasOwn(value, name)) context.add(required(formatPath([...context.path, name])))
    }
    const before = isJsonObject(old) ? old : undefined
    for (const key in value) {
      const member = fields.get(key) ?? additional
      if (member === undefined) continue
      context.path.push(key)
      member(value[key] ?? null, context, before === undefined || !Object.hasOwn(before, key) ? undefined : before[key])
      context.path.pop()
    }
  }
}

function checkSize(value: JsonObject, context: ValidationContext, schema: JsonSchema): void {
  const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema
  const count = Object.keys(value).length
  if (count < minProperties) {
    context.add(
      invalid(fieldOf(context), count, `${context.place} in body should have at least ${minProperties} properties`),
    )
  }
  if (count > maxProperties) context.add(tooMany(fieldOf(context), count, maxProperties))
}

function compileEmbedded(schema: JsonSchema): Validate | undefined {
  if (schema['x-kubernetes-embedded-resource'] !== true) return undefined
  return (value, context) => {
    if (!isJsonObject(value)) return
    for (const name of ['apiVersion', 'kind']) {
      const member = Object.hasOwn(value, name) ? value[name] : undefined
      const path = formatPath([...context.path, name])
      if (member === undefined || member === '') context.add(required(path))
      else if (typeof member !== 'string') context.add(typeInvalid(path, typeOf(member), 'must be a string'))
    }
    const metadata = Object.hasOwn(value, 'metadata') ? value['metadata'] : undefined
    if (metadata === undefined || isJsonObject(metadata)) return
    context.add(typeInvalid(formatPath([...context.path, 'metadata']), typeOf(metadata), 'must be an object'))
  }
}
