import { checkDnsSubdomain, customResourceDefinitions, type JsonObject } from '@orrery/api'
import type { ResourceDefinition } from './builtin.ts'
import { createdAtColumn, nameColumn } from './columns.ts'
import { validateCrd } from './crd-rules.ts'
import { crdSchema } from './crd-schema.ts'
import { assign, objectAt, textAt } from './fields.ts'

export const customResourceDefinitionDefinition: ResourceDefinition = {
  info: { ...customResourceDefinitions, categories: ['api-extensions'] },
  schema: crdSchema,
  custom: false,
  status: true,
  generation: true,
  unconditionalUpdate: false,
  createOnUpdate: false,
  checkName: checkDnsSubdomain,
  selectableFields: [],
  fieldsOf: () => undefined,
  columns: [nameColumn, createdAtColumn],
  prepare: prepareCrd,
  validate: validateCrd,
}

/** Names that follow from the kind, and the conversion that needs nothing. */
function prepareCrd(crd: JsonObject): void {
  const spec = objectAt(crd, 'spec')
  const names = objectAt(spec, 'names')
  const kind = textAt(names, 'kind')
  const singular = textAt(names, 'singular') || kind.toLowerCase()
  const listKind = textAt(names, 'listKind') || (kind === '' ? '' : `${kind}List`)
  assign(crd, {
    spec: {
      ...spec,
      names: { ...names, ...(singular === '' ? {} : { singular }), ...(listKind === '' ? {} : { listKind }) },
      conversion: spec['conversion'] ?? { strategy: 'None' },
    },
  })
}
