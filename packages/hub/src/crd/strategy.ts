import type { Clock } from '@orrery/api'
import { formatTime, type JsonObject, stringifyJson } from '@orrery/api'
import type { ResourceDefinition } from '../builtin/builtin.ts'
import type { Warnings } from '../http/warnings.ts'
import type { Strategy } from '../registry/core.ts'
import { objectAt, textAt, textsAt } from '../registry/json-access.ts'
import { type CustomResources, crdFinalizer } from './custom-resources.ts'
import { markTerminating, settleNames } from './names.ts'

/**
 * How the hub takes part in writes of CRDs: names are settled and the CRD established within the write
 * itself, so that the next request already finds the resource.
 */
export function createCrdStrategy(
  customResources: CustomResources,
  builtins: readonly ResourceDefinition[],
  clock: Clock,
): Strategy {
  let last: Promise<unknown> = Promise.resolve()
  return {
    prepare: (object, old, warnings) => {
      const metadata = objectAt(object, 'metadata')
      const finalizers = textsAt(metadata, 'finalizers')
      if (old === undefined && !finalizers.includes(crdFinalizer)) {
        object['metadata'] = { ...metadata, finalizers: [...finalizers, crdFinalizer] }
      }
      const others = [...customResources.all()].map((crd) => crd.object)
      settleNames(object, others, builtins, formatTime(clock.now()))
      warnOfUnenforced(object, warnings)
    },
    markDeleted: (object) => markTerminating(object, formatTime(clock.now())),
    // Two CRDs that claim one name must not both look at a world without the other.
    exclusively: (write) => {
      const result = last.then(write)
      last = result.catch(() => undefined)
      return result
    },
  }
}

function warnOfUnenforced(crd: JsonObject, warnings: Warnings): void {
  const spec = objectAt(crd, 'spec')
  if (stringifyJson(spec['versions'] ?? null).includes('"x-kubernetes-validations":')) {
    warnings.add(
      'x-kubernetes-validations are stored but not enforced yet: objects that break these rules are accepted',
    )
  }
  if (textAt(objectAt(spec, 'conversion'), 'strategy') === 'Webhook') {
    warnings.add(
      'conversion webhooks are stored but not called yet: versions are converted by changing apiVersion only',
    )
  }
}
