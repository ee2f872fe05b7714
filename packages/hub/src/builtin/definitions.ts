import type { ResourceDefinition } from './builtin.ts'
import { configMapDefinition } from './config-maps.ts'
import { customResourceDefinitionDefinition } from './custom-resource-definitions.ts'
import { eventDefinition } from './events.ts'
import { leaseDefinition } from './leases.ts'
import { namespaceDefinition } from './namespaces.ts'
import { secretDefinition } from './secrets.ts'
import { serviceAccountDefinition } from './service-accounts.ts'

/** The kinds that every hub serves and stores. */
export const builtinDefinitions: readonly ResourceDefinition[] = [
  namespaceDefinition,
  secretDefinition,
  configMapDefinition,
  eventDefinition,
  serviceAccountDefinition,
  leaseDefinition,
  customResourceDefinitionDefinition,
]
