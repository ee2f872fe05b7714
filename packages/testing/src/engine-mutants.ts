import type { KubeObject, Random } from '@orrery/api'
import type { Client } from '@orrery/client'
import type { EffectContext, KindDefinition, ProviderDefinition } from '@orrery/provider'
import { ExternalError, FINALIZER, NotSentError } from '@orrery/provider'

/** Known bugs of controllers of external systems, planted by decorating the API or the kinds. */

/** The call outside is made without a durable record that it may have been. */
export function withoutIntent(client: Client): Client {
  return {
    ...client,
    updateStatus: async (kind, object, options) =>
      isOpenCreate(object) ? object : await client.updateStatus(kind, object, options),
  }
}

function isOpenCreate(object: KubeObject): boolean {
  const status: unknown = Reflect.get(object, 'status')
  const attempt = isRecord(status) ? status['attempt'] : undefined
  return isRecord(attempt) && attempt['effect'] === 'create' && attempt['unknown'] === undefined
}

/** The finalizer is put on the object when the thing outside has been recorded, not before it is made. */
export function withLateFinalizer(client: Client): Client {
  return {
    ...client,
    patch: async (kind, key, patch, options) => {
      const metadata = isRecord(patch.body) ? patch.body['metadata'] : undefined
      const finalizers = isRecord(metadata) ? metadata['finalizers'] : undefined
      if (patch.type !== 'merge' || !Array.isArray(finalizers) || !finalizers.includes(FINALIZER)) {
        return await client.patch(kind, key, patch, options)
      }
      const current = await client.find(kind, key)
      if (current?.metadata.finalizers?.includes(FINALIZER) === true)
        return await client.patch(kind, key, patch, options)
      const { finalizers: _dropped, ...rest } = isRecord(metadata) ? metadata : {}
      if (current !== undefined && rest['annotations'] === undefined) return current
      const body = JSON.parse(JSON.stringify({ metadata: rest }))
      return await client.patch(kind, key, { type: 'merge', body }, options)
    },
    updateStatus: async (kind, object, options) => {
      const written = await client.updateStatus(kind, object, options)
      const status: unknown = Reflect.get(written, 'status')
      const { name, namespace, finalizers = [], resourceVersion = '' } = written.metadata
      const isMade = isRecord(status) && status['external'] !== undefined
      if (!isMade || namespace === undefined || finalizers.includes(FINALIZER)) return written
      const body = { metadata: { resourceVersion, finalizers: [...finalizers, FINALIZER] } }
      return await client.patch(kind, { namespace, name }, { type: 'merge', body }, options)
    },
  }
}

/** Each try to make a thing has a token of its own. */
export function withFreshTokens(provider: ProviderDefinition, random: Random): ProviderDefinition {
  return mapKinds(provider, (kind) => ({
    ...kind,
    create: async (context) => await kind.create({ ...context, attempt: { ...context.attempt, token: random.uuid() } }),
  }))
}

/** What was made counts as missing as soon as it is not seen. */
export function withoutWaiting(provider: ProviderDefinition): ProviderDefinition {
  return mapKinds(provider, (kind) => {
    const { create } = kind.safety
    const safety = create.type === 'find' ? { ...kind.safety, create: { ...create, maxListLagMs: 0 } } : kind.safety
    return { ...kind, safety, maxLateExecutionMs: 0, maxReadLagMs: 0 }
  })
}

/** A refusal or an outage counts as absence. */
export function withErrorsAsAbsence(provider: ProviderDefinition): ProviderDefinition {
  return mapKinds(provider, (kind) => ({
    ...kind,
    observe: async (context) => {
      try {
        return await kind.observe(context)
      } catch (error) {
        if (error instanceof ExternalError && error.class !== 'throttled') return { state: 'absent' }
        throw error
      }
    },
  }))
}

/** A process that has been asleep sends what its lease and its attempt no longer allow. */
export function withoutLicence(provider: ProviderDefinition): ProviderDefinition {
  const always = (context: EffectContext): EffectContext => ({
    ...context,
    send: async (call) => {
      try {
        return await context.send(call)
      } catch (error) {
        if (error instanceof NotSentError) return await call()
        throw error
      }
    },
  })
  return mapKinds(provider, (kind) => ({
    ...kind,
    create: async (context) => await kind.create(always(context)),
    update: async (context) => await kind.update(always(context)),
    delete: async (context) => await kind.delete(always(context)),
  }))
}

function mapKinds(provider: ProviderDefinition, change: (kind: KindDefinition) => KindDefinition): ProviderDefinition {
  return { ...provider, kinds: provider.kinds.map(change) }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
