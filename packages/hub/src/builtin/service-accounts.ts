import { checkDnsSubdomain, serviceAccounts } from '@orrery/api'
import type { ResourceDefinition } from './builtin.ts'
import { ageColumn, nameColumn } from './columns.ts'
import { objectReference } from './events.ts'
import { atomicList, flag, kindSchema, listMap, object, text } from './kind-schema.ts'

const schema = kindSchema(
  serviceAccounts,
  'ServiceAccount binds together a name, understood by users, a principal that can be authenticated and authorized, and a set of secrets.',
  {
    properties: {
      automountServiceAccountToken: flag(
        'Whether pods running as this service account should have an API token automatically mounted. Can be overridden at the pod level.',
      ),
      imagePullSecrets: atomicList(
        'References to secrets in the same namespace to use for pulling images.',
        object('A reference to an object in the same namespace.', { name: text('Name of the referent.') }),
      ),
      secrets: listMap(
        'The secrets in the same namespace that pods running as this service account are allowed to use.',
        objectReference,
        'name',
      ),
    },
  },
)

export const serviceAccountDefinition: ResourceDefinition = {
  info: serviceAccounts,
  schema,
  custom: false,
  status: false,
  generation: false,
  unconditionalUpdate: true,
  createOnUpdate: false,
  checkName: checkDnsSubdomain,
  selectableFields: [],
  fieldsOf: () => undefined,
  columns: [nameColumn, ageColumn],
}
