import {
  checkDns1035Label,
  checkStructural,
  duplicate,
  equalJson,
  type FieldError,
  invalid,
  isJsonObject,
  type JsonObject,
  type JsonSchema,
  parseJsonSchema,
  required,
  tooMany,
} from '@orrery/api'
import { objectAt, objectsAt, textAt } from './fields.ts'

const maxSelectableFields = 8
/** Versions are compiled and kept in memory while they are served. */
const maxVersions = 100
const maxWarningLength = 256
const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']

/** The rules of `spec.versions`. Errors of parts that all versions share are reported once, at the place Kubernetes gives them. */
export function checkVersions(spec: JsonObject): FieldError[] {
  const versions = objectsAt(spec, 'versions')
  if (versions.length > maxVersions) return [tooMany('spec.versions', versions.length, maxVersions)]
  const errors = versions.flatMap((version, index) => checkVersion(version, `spec.versions[${index}]`))
  for (const part of parts) errors.push(...checkPart(part, versions))
  const names = versions.map((version) => textAt(version, 'name'))
  if (new Set(names).size !== names.length)
    errors.push(invalid('spec.versions', names, 'must contain unique version names'))
  if (versions.filter((version) => version['storage'] === true).length !== 1) {
    errors.push(invalid('spec.versions', names, 'must have exactly one version marked as storage version'))
  }
  return errors
}

function checkVersion(version: JsonObject, path: string): FieldError[] {
  const name = textAt(version, 'name')
  const details = checkDns1035Label(name).join(',')
  const errors = details === '' ? [] : [invalid(`${path}.name`, name, details)]
  const warning = version['deprecationWarning']
  if (typeof warning !== 'string') return errors
  const at = `${path}.deprecationWarning`
  if (version['deprecated'] !== true) errors.push(invalid(at, warning, 'can only be set for deprecated versions'))
  if (warning.length > maxWarningLength)
    errors.push(invalid(at, warning, `must be <= ${maxWarningLength} characters long`))
  if (warning === '') errors.push(invalid(at, warning, 'must not be an empty string'))
  if (/\p{C}/u.test(warning)) errors.push(invalid(at, warning, 'must only contain printable UTF-8 characters'))
  return errors
}

/** A part of a version, where it sits when all versions share it, and its rules. */
interface Part {
  readonly key: string
  readonly hoisted: string
  readonly check: (version: JsonObject, path: string) => FieldError[]
}

const parts: readonly Part[] = [
  { key: 'schema', hoisted: 'validation', check: checkSchema },
  { key: 'subresources', hoisted: 'subresources', check: checkSubresources },
  { key: 'additionalPrinterColumns', hoisted: 'additionalPrinterColumns', check: checkColumns },
  { key: 'selectableFields', hoisted: 'selectableFields', check: checkSelectableFields },
]

function checkPart({ key, hoisted, check }: Part, versions: readonly JsonObject[]): FieldError[] {
  const [first] = versions
  if (first === undefined) return []
  // A missing schema is named where it is missing.
  const isShared = versions.every((version) => equalJson(version[key], first[key])) && first[key] !== undefined
  if (isShared) return check(first, `spec.${hoisted}`)
  return versions.flatMap((version, index) => check(version, `spec.versions[${index}].${key}`))
}

const schemaOf = (version: JsonObject): JsonObject | undefined => {
  const schema = objectAt(version, 'schema')['openAPIV3Schema']
  return isJsonObject(schema) ? schema : undefined
}

function checkSchema(version: JsonObject, path: string): FieldError[] {
  const at = `${path}.openAPIV3Schema`
  const json = schemaOf(version)
  if (json === undefined) return [required(at)]
  const { schema, errors } = parseJsonSchema(json, at)
  return errors.length > 0 ? [...errors] : checkStructural(schema, at)
}

function checkSubresources(version: JsonObject, path: string): FieldError[] {
  const subresources = objectAt(version, 'subresources')
  if (!Object.hasOwn(subresources, 'scale')) return []
  const scale = objectAt(subresources, 'scale')
  const at = `${path}.scale`
  return [
    ...checkScalePath(scale, { key: 'specReplicasPath', at, roots: ['.spec.'], isRequired: true }),
    ...checkScalePath(scale, { key: 'statusReplicasPath', at, roots: ['.status.'], isRequired: true }),
    ...checkScalePath(scale, { key: 'labelSelectorPath', at, roots: ['.spec.', '.status.'], isRequired: false }),
  ]
}

function checkScalePath(
  scale: JsonObject,
  rule: { readonly key: string; readonly at: string; readonly roots: readonly string[]; readonly isRequired: boolean },
): FieldError[] {
  const value = textAt(scale, rule.key)
  const at = `${rule.at}.${rule.key}`
  if (value === '') return rule.isRequired ? [required(at)] : []
  if (!value.startsWith('.')) return [invalid(at, value, 'must be a simple json path starting with .')]
  if (rule.roots.some((root) => value.startsWith(root))) return []
  const [root = ''] = rule.roots
  const detail =
    rule.roots.length > 1
      ? 'should be a json path under either .spec or .status'
      : `should be a json path under ${root.slice(0, -1)}`
  return [invalid(at, value, detail)]
}

function checkColumns(version: JsonObject, path: string): FieldError[] {
  return objectsAt(version, 'additionalPrinterColumns').flatMap((column, index) => {
    const at = `${path}[${index}]`
    const type = textAt(column, 'type')
    const format = textAt(column, 'format')
    const jsonPath = textAt(column, 'jsonPath')
    const types = `must be one of ${columnTypes.join(',')}`
    const errors: FieldError[] = []
    if (textAt(column, 'name') === '') errors.push(required(`${at}.name`))
    if (type === '') errors.push(required(`${at}.type`, types))
    else if (!columnTypes.includes(type)) errors.push(invalid(`${at}.type`, type, types))
    if (format !== '' && !columnFormats.includes(format)) {
      errors.push(invalid(`${at}.format`, format, `must be one of ${columnFormats.join(',')}`))
    }
    if (jsonPath === '') errors.push(required(`${at}.JSONPath`))
    else if (!jsonPath.startsWith('.'))
      errors.push(invalid(`${at}.JSONPath`, jsonPath, 'must be a simple json path starting with .'))
    return errors
  })
}

function checkSelectableFields(version: JsonObject, path: string): FieldError[] {
  const fields = objectsAt(version, 'selectableFields')
  const json = schemaOf(version)
  const schema = json === undefined ? {} : parseJsonSchema(json, '').schema
  const seen = new Set<string>()
  const errors = fields.flatMap((field, index) => {
    const jsonPath = textAt(field, 'jsonPath')
    const at = `${path}[${index}].jsonPath`
    if (jsonPath === '') return [required(at)]
    const found = propertyAt(schema, jsonPath)
    if (found === undefined) return [invalid(at, jsonPath, 'is an invalid path: does not refer to a valid field')]
    const isRepeated = seen.has(jsonPath)
    seen.add(jsonPath)
    const isScalar = ['string', 'boolean', 'integer'].includes(found.type ?? '')
    const detail =
      'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.'
    return [...(isScalar ? [] : [invalid(at, jsonPath, detail)]), ...(isRepeated ? [duplicate(at, jsonPath)] : [])]
  })
  if (seen.size > maxSelectableFields) errors.push(tooMany(path, seen.size, maxSelectableFields))
  return errors
}

/** Follows `.a.b` through named properties. Metadata is not a part of the schema. */
function propertyAt(schema: JsonSchema, path: string): JsonSchema | undefined {
  if (!path.startsWith('.') || path.startsWith('.metadata')) return undefined
  let node: JsonSchema | undefined = schema
  for (const name of path.slice(1).split('.')) {
    const properties: Readonly<Record<string, JsonSchema>> = node?.properties ?? {}
    node = Object.hasOwn(properties, name) ? properties[name] : undefined
  }
  return node
}
