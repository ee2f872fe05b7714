import type { JsonObject } from '../json/json.ts'
import type { JsonSchema } from '../schema/json-schema.ts'

/**
 * Kubernetes' strategic merge patch over a schema that carries `x-kubernetes-patch-strategy` and
 * `x-kubernetes-patch-merge-key`: `$patch` (replace, delete, merge), `$deleteFromPrimitiveList/x`,
 * `$setElementOrder/x`, `$retainKeys`. Throws `PatchError`. The input is not changed.
 */
export function applyStrategicMerge(_target: JsonObject, _patch: JsonObject, _schema: JsonSchema): JsonObject {
  throw new Error('contract')
}
