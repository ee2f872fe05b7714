import { checkDnsSubdomain, configMaps, type FieldError, invalid, type JsonObject, tooLong } from '@orrery/api'
import type { ResourceDefinition } from './builtin.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { checkImmutable, checkKeys, decodeBase64, maxDataBytes } from './data-rules.ts'
import { objectAt } from './fields.ts'
import { flag, kindSchema, textMap } from './kind-schema.ts'

const keyRule = 'Each key must consist of alphanumeric characters, "-", "_" or ".".'

const schema = kindSchema(configMaps, 'ConfigMap holds configuration data for consumers to read.', {
  properties: {
    binaryData: {
      type: 'object',
      description: `BinaryData contains binary values, base64 encoded. ${keyRule} The keys must not overlap with those of data.`,
      additionalProperties: { type: 'string', format: 'byte' },
    },
    data: textMap(`Data contains the configuration as UTF-8 text. ${keyRule}`),
    immutable: flag(
      'Immutable, if true, ensures that the data cannot be updated: only metadata may change. It cannot be taken back.',
    ),
  },
})

export const configMapDefinition: ResourceDefinition = {
  info: configMaps,
  schema,
  custom: false,
  status: false,
  generation: false,
  unconditionalUpdate: true,
  createOnUpdate: false,
  checkName: checkDnsSubdomain,
  selectableFields: [],
  fieldsOf: () => undefined,
  columns: [
    nameColumn,
    // A number in a column of text, as Kubernetes has it.
    column('Data', 'Data contains the configuration data.', (object) => countKeys(object)),
    ageColumn,
  ],
  validate: validateConfigMap,
}

const countKeys = (object: JsonObject): number =>
  Object.keys(objectAt(object, 'data')).length + Object.keys(objectAt(object, 'binaryData')).length

function validateConfigMap(object: JsonObject, old: JsonObject | undefined): FieldError[] {
  const errors = [...checkImmutable(object, old, ['data', 'binaryData']), ...checkKeys(object, 'data')]
  const data = objectAt(object, 'data')
  const binary = objectAt(object, 'binaryData')
  let sizeBytes = 0
  for (const [key, value] of Object.entries(data)) {
    if (Object.hasOwn(binary, key)) errors.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'))
    if (typeof value === 'string') sizeBytes += Buffer.byteLength(value)
  }
  for (const value of Object.values(binary)) {
    if (typeof value === 'string') sizeBytes += decodeBase64(value)?.length ?? 0
  }
  errors.push(...checkKeys(object, 'binaryData'))
  if (sizeBytes > maxDataBytes) errors.push(tooLong('', maxDataBytes))
  return errors
}
