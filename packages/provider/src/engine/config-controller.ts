import type { Kind } from '@orrery/api'
import { equalJson, formatKey, formatTime, keyOf, setCondition } from '@orrery/api'
import type { Deadline, Informer } from '@orrery/client'
import { createDeadline } from '@orrery/client'
import type { ControllerOptions, ReconcileContext } from '@orrery/runtime'
import { again, done } from '@orrery/runtime'
import { ExternalError } from '../errors.ts'
import type { ProviderConfigObject } from '../kinds.ts'
import { resolveConfig } from './config.ts'
import { abortable } from './effects.ts'
import type { Poll } from './polling.ts'
import { DEFAULT_POLL, nextPollMs } from './polling.ts'
import type { EngineWorld, ProviderEntry } from './registry.ts'
import { FIELD_MANAGER } from './session.ts'
import { configWakers } from './wake.ts'

/**
 * Tells on each ProviderConfig whether its system can be reached with its credentials: one cheap
 * authenticated call after a change and then at the pace of polling.
 */
export function configController(
  world: EngineWorld,
  provider: ProviderEntry,
  configs: { readonly kind: Kind<ProviderConfigObject>; readonly informer: Informer<ProviderConfigObject> },
): ControllerOptions {
  const quiet = new Map<string, number>()
  return {
    name: `${configs.kind.plural}.${configs.kind.group}`,
    for: configs.kind,
    concurrency: 4,
    when: ({ type, current, previous }) =>
      type !== 'updated' || current?.metadata.generation !== previous?.metadata.generation,
    watches: configWakers(world, provider, configs.informer),
    reconcile: async (context) => {
      const config = configs.informer.get(context.key)
      const id = formatKey(context.key)
      if (config === undefined) {
        quiet.delete(id)
        return done
      }
      const { changed, ready } = await reconcileConfig({ world, provider, kind: configs.kind }, config, context)
      const polls = changed ? 0 : (quiet.get(id) ?? 0)
      quiet.set(id, polls + 1)
      return again(nextPollMs(ready ? DEFAULT_POLL : OUTAGE_POLL, polls, world.random))
    },
  }
}

/** A system that is away is asked often, by this one call for all its objects, which its return wakes. */
const OUTAGE_POLL: Poll = { minMs: 2_000, maxMs: 30_000 }

interface Scope {
  readonly world: EngineWorld
  readonly provider: ProviderEntry
  readonly kind: Kind<ProviderConfigObject>
}

async function reconcileConfig(
  scope: Scope,
  config: ProviderConfigObject,
  context: ReconcileContext,
): Promise<{ readonly changed: boolean; readonly ready: boolean }> {
  const verdict = await checkConfig(scope, config, context.signal)
  const condition = {
    type: 'Ready',
    observedGeneration: config.metadata.generation ?? 0,
    ...verdict,
  }
  const conditions = setCondition(config.status?.conditions ?? [], condition, formatTime(scope.world.clock.now()))
  const ready = verdict.status === 'True'
  if (equalJson(conditions, config.status?.conditions ?? [])) return { changed: false, ready }
  await context.client.patch(
    scope.kind,
    keyOf(config),
    {
      type: 'merge',
      body: {
        metadata: { resourceVersion: config.metadata.resourceVersion ?? '' },
        status: { conditions: conditions.map((each) => ({ ...each })) },
      },
    },
    { subresource: 'status', fieldManager: FIELD_MANAGER, signal: context.signal },
  )
  return { changed: true, ready }
}

interface CheckResult {
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

async function checkConfig(scope: Scope, config: ProviderConfigObject, signal: AbortSignal): Promise<CheckResult> {
  const { world, provider } = scope
  const target = resolveConfig(world, provider, config)
  if (target.state === 'waiting') return { status: 'False', reason: 'Waiting', message: target.message }
  try {
    const connection = provider.pool.get(config.metadata.uid ?? '', target)
    await provider.pool.use(connection, { priority: 'resync', signal }, async () => {
      // Timed from its turn on: a full budget says nothing about the system.
      using deadline = checkDeadline(world, signal)
      await abortable(
        async (bounded) => await provider.definition.check(connection.client, { signal: bounded }),
        deadline.signal,
      )
    })
    return { status: 'True', reason: 'Available', message: '' }
  } catch (error) {
    if (!(error instanceof ExternalError)) throw error
    return { status: 'False', reason: error.reason, message: error.message }
  }
}

/** A system that stands still answers neither yes nor no; without a limit it would be called available for ever. */
function checkDeadline({ clock, timing }: EngineWorld, signal: AbortSignal): Deadline {
  const timeoutMs = timing.observeTimeoutMs
  const onTimeout = () =>
    new ExternalError({
      class: 'transient',
      reason: 'Timeout',
      message: `The system did not answer within ${timeoutMs / 1000} s; it is asked again.`,
    })
  return createDeadline({ clock, timeoutMs, onTimeout, signal })
}
