import {
  checkDnsSubdomain,
  type FieldError,
  invalid,
  isJsonObject,
  JsonError,
  type JsonObject,
  parseJson,
  required,
  secrets,
  tooLong,
} from '@orrery/api'
import type { ResourceDefinition } from './builtin.ts'
import { ageColumn, column, metadataOf, nameColumn } from './columns.ts'
import { checkImmutable, checkKeys, decodeBase64, maxDataBytes } from './data-rules.ts'
import { assign, objectAt, remove, textAt } from './fields.ts'
import { flag, kindSchema, text, textMap } from './kind-schema.ts'

/** Stands in every error where a value would: no secret leaves the hub but as an answer to a read. */
const redacted = '<secret contents redacted>'

const serviceAccountName = 'kubernetes.io/service-account.name'

const schema = kindSchema(
  secrets,
  'Secret holds secret data of a certain type. The total bytes of the values in the data field must be less than 1 MiB.',
  {
    properties: {
      data: {
        type: 'object',
        description:
          'Data contains the secret values, base64 encoded. Each key must consist of alphanumeric characters, "-", "_" or ".".',
        additionalProperties: { type: 'string', format: 'byte', 'x-orrery-sensitive': true },
      },
      immutable: flag(
        'Immutable, if true, ensures that the data cannot be updated: only metadata may change. It cannot be taken back.',
      ),
      stringData: textMap(
        'StringData gives values as plain text. It is write-only: all keys and values are merged into data on write, overwriting what is there, and it never appears in answers.',
      ),
      type: text('Used to facilitate programmatic handling of secret data. Defaults to Opaque and cannot be changed.'),
    },
  },
)

export const secretDefinition: ResourceDefinition = {
  info: secrets,
  schema,
  custom: false,
  status: false,
  generation: false,
  unconditionalUpdate: true,
  createOnUpdate: false,
  checkName: checkDnsSubdomain,
  selectableFields: ['type'],
  fieldsOf: (secret) => ({ type: textAt(secret, 'type') }),
  columns: [
    nameColumn,
    column('Type', 'Used to facilitate programmatic handling of secret data.', (secret) => textAt(secret, 'type')),
    column('Data', 'Data contains the secret data.', (secret) => Object.keys(objectAt(secret, 'data')).length),
    ageColumn,
  ],
  prepare: prepareSecret,
  validate: validateSecret,
}

/** Moves plain values to where they are stored; what is no text stays for validation to refuse. */
function prepareSecret(secret: JsonObject): void {
  const plain = secret['stringData']
  if (isJsonObject(plain)) {
    const texts = Object.entries(plain).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    if (texts.length === Object.keys(plain).length) {
      const encoded = texts.map(([key, value]) => [key, Buffer.from(value).toString('base64')])
      remove(secret, 'stringData')
      if (texts.length > 0) assign(secret, { data: { ...objectAt(secret, 'data'), ...Object.fromEntries(encoded) } })
    }
  }
  if (textAt(secret, 'type') === '') assign(secret, { type: 'Opaque' })
}

function validateSecret(secret: JsonObject, old: JsonObject | undefined): FieldError[] {
  const errors = checkKeys(secret, 'data')
  const type = textAt(secret, 'type')
  if (old !== undefined && textAt(old, 'type') !== type) errors.push(invalid('type', type, 'field is immutable'))
  errors.push(...checkImmutable(secret, old, ['data']))
  const data = new Map<string, Uint8Array>()
  let sizeBytes = 0
  for (const [key, value] of Object.entries(objectAt(secret, 'data'))) {
    const bytes = typeof value === 'string' ? decodeBase64(value) : undefined
    if (bytes === undefined) {
      errors.push(invalid(`data[${key}]`, redacted, 'must be base64; give plain text in stringData instead'))
      continue
    }
    data.set(key, bytes)
    sizeBytes += bytes.length
  }
  if (sizeBytes > maxDataBytes) errors.push(tooLong('data', maxDataBytes))
  return [...errors, ...checkType(type, data, secret)]
}

/** What consumers of well-known types rely on. */
function checkType(type: string, data: ReadonlyMap<string, Uint8Array>, secret: JsonObject): FieldError[] {
  const missing = (...keys: readonly string[]): FieldError[] =>
    keys.filter((key) => !data.has(key)).map((key) => required(`data[${key}]`))
  switch (type) {
    case 'kubernetes.io/service-account-token': {
      const annotations = objectAt(metadataOf(secret), 'annotations')
      const path = `metadata.annotations[${serviceAccountName}]`
      return textAt(annotations, serviceAccountName) === '' ? [required(path)] : []
    }
    case 'kubernetes.io/dockercfg':
      return checkJson('.dockercfg', data)
    case 'kubernetes.io/dockerconfigjson':
      return checkJson('.dockerconfigjson', data)
    case 'kubernetes.io/basic-auth':
      return data.has('username') || data.has('password') ? [] : missing('username', 'password')
    case 'kubernetes.io/ssh-auth':
      return (data.get('ssh-privatekey')?.length ?? 0) === 0 ? [required('data[ssh-privatekey]')] : []
    case 'kubernetes.io/tls':
      return missing('tls.crt', 'tls.key')
    default:
      return []
  }
}

function checkJson(key: string, data: ReadonlyMap<string, Uint8Array>): FieldError[] {
  const bytes = data.get(key)
  if (bytes === undefined) return [required(`data[${key}]`)]
  try {
    const { value } = parseJson(bytes)
    if (isJsonObject(value)) return []
    return [invalid(`data[${key}]`, redacted, 'must be a JSON object')]
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    // Only the fault of syntax is named as Kubernetes does; it quotes one character at most.
    return [invalid(`data[${key}]`, redacted, error.kind === 'syntax' ? error.message : 'must be a JSON object')]
  }
}
