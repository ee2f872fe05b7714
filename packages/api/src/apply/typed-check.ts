import { isJsonArray, isJsonObject, type Json, type JsonObject } from '../json/json.ts'
import { PatchError } from '../patch/patch-error.ts'
import { type FieldType, type ListType, type MapType, type ScalarType } from './field-type.ts'
import { fieldElement, formatPathElement } from './path-element.ts'

/** How many faults one answer names. */
const maxFaults = 20
const notDeclared = 'field not declared in schema'

interface Fault {
  readonly path: string
  readonly message: string
}

/**
 * Checks that an applied configuration is typed: only declared fields, declared types, list items that
 * can be told apart. Throws {@link PatchError} in the words of structured-merge-diff: `malformed` for an
 * unknown field, `inapplicable` for the rest.
 */
export function checkTyped(type: MapType, config: JsonObject): void {
  const faults: Fault[] = []
  checkMap(type, config, '', faults)
  if (faults.length === 0) return
  const lines = faults.map(({ path, message }) => `${path}: ${message}`)
  const list = lines.length === 1 ? lines.join('') : `errors:${lines.map((line) => `\n  ${line}`).join('')}`
  const kind = faults.some(({ message }) => message === notDeclared) ? 'malformed' : 'inapplicable'
  throw new PatchError(kind, `failed to create typed patch object (${describe(config)}): ${list}`)
}

/** `namespace/name; group/version, Kind=K`, with the namespace only where the configuration has it. */
function describe(config: JsonObject): string {
  const metadata = isJsonObject(config['metadata']) ? config['metadata'] : {}
  const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
  const apiVersion = text(config['apiVersion'])
  const groupVersion = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`
  return `${text(metadata['namespace'])}/${text(metadata['name'])}; ${groupVersion}, Kind=${text(config['kind'])}`
}

function checkNode(type: FieldType, value: Json, path: string, faults: Fault[]): void {
  if (type.kind === 'deduced' || value === null || faults.length >= maxFaults) return
  if (type.kind === 'scalar') checkScalar(type, value, path, faults)
  else if (type.kind === 'list') checkList(type, value, path, faults)
  else checkMap(type, value, path, faults)
}

function checkMap(type: MapType, value: Json, path: string, faults: Fault[]): void {
  if (!isJsonObject(value)) {
    faults.push({ path, message: `expected map, got &{${goText(value)}}` })
    return
  }
  for (const name in value) {
    const inner = `${path}${formatPathElement(fieldElement(name))}`
    const member = type.field(name) ?? type.element
    if (member === undefined) faults.push({ path: inner, message: notDeclared })
    else checkNode(member, value[name] ?? null, inner, faults)
  }
}

function checkList(type: ListType, value: Json, path: string, faults: Fault[]): void {
  if (!isJsonArray(value)) {
    faults.push({ path, message: `expected list, got &{${goText(value)}}` })
    return
  }
  const seen = new Set<string>()
  for (const [index, item] of value.entries()) {
    const element = type.isAtomic ? `i:${index}` : type.elementOf(item)
    if (element === undefined) {
      faults.push({
        path,
        message: `element ${index}: associative list with keys has an element that omits all key fields`,
      })
      continue
    }
    if (seen.has(element)) faults.push({ path, message: `duplicate entries for key ${formatPathElement(element)}` })
    seen.add(element)
    checkNode(type.items, item, `${path}${formatPathElement(element)}`, faults)
  }
}

function checkScalar(type: ScalarType, value: Json, path: string, faults: Fault[]): void {
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  const { accepts } = type
  if (accepts === 'string' && typeof value !== 'string') {
    faults.push({ path, message: `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}` })
  } else if (accepts === 'numeric' && !isNumber) {
    faults.push({ path, message: `expected numeric (int or float), got ${goType(value)}` })
  } else if (accepts === 'boolean' && typeof value !== 'boolean') {
    faults.push({ path, message: `expected boolean, got &{${goText(value)}}` })
  } else if (accepts === 'untyped' && typeof value === 'object') {
    faults.push({ path, message: `expected any scalar, got &{${goText(value)}}` })
  }
}

function goType(value: Json): string {
  if (isJsonArray(value)) return '[]interface {}'
  if (isJsonObject(value)) return 'map[string]interface {}'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

/** A value as Go's `%v` prints it. */
function goText(value: Json): string {
  if (isJsonArray(value)) return `[${value.map(goText).join(' ')}]`
  if (!isJsonObject(value)) return value === null ? '<nil>' : String(value)
  const members = Object.keys(value).toSorted()
  return `map[${members.map((key) => `${key}:${goText(value[key] ?? null)}`).join(' ')}]`
}

/** A value as Go's `%#v` prints it. */
function goSyntax(value: Json): string {
  if (isJsonArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`
  if (!isJsonObject(value)) return typeof value === 'string' ? JSON.stringify(value) : goText(value)
  const members = Object.keys(value).toSorted()
  return `map[string]interface {}{${members.map((key) => `${JSON.stringify(key)}:${goSyntax(value[key] ?? null)}`).join(', ')}}`
}
