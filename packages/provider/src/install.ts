import type { Clock, CustomResourceDefinition } from '@orrery/api'
import { customResourceDefinitions, isAlreadyExists, isConflict, namespaces, sleep } from '@orrery/api'
import type { Client } from '@orrery/client'
import type { ControllerOptions } from '@orrery/runtime'
import { done } from '@orrery/runtime'
import { customResourceDefinitionsOf } from './kinds.ts'
import type { ProviderDefinition } from './provider.ts'

/** What has to exist on an API server before providers can be served on it. */

const FIELD_MANAGER = 'orrery-manager'
const ESTABLISH_TIMEOUT_MS = 30_000
const ESTABLISH_POLL_MS = 50

export interface InstallOptions {
  readonly client: Client
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Makes the namespace of claims and keys, if it is missing. */
export async function ensureNamespace(name: string, options: InstallOptions): Promise<void> {
  const { client, signal } = options
  if ((await client.find(namespaces, { name }, { signal })) !== undefined) return
  try {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {} }
    await client.create(namespaces, namespace, { fieldManager: FIELD_MANAGER, signal })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
}

/** The uid of `kube-system`: what names an API server's data for good. */
export async function hubIdentity(options: Pick<InstallOptions, 'client' | 'signal'>): Promise<string> {
  const system = await options.client.get(namespaces, { name: 'kube-system' }, { signal: options.signal })
  const { uid } = system.metadata
  if (uid === undefined) throw new Error('The namespace kube-system has no uid; this is not a Kubernetes API server.')
  return uid
}

/** Installs or upgrades the CustomResourceDefinitions of providers, and waits until they are served. */
export async function installDefinitions(
  providers: readonly ProviderDefinition[],
  options: InstallOptions,
): Promise<void> {
  const definitions = providers.flatMap(customResourceDefinitionsOf)
  await Promise.all(definitions.map(async (definition) => await applyDefinition(definition, options)))
  for (const { metadata } of definitions) await established(metadata.name, options)
}

/**
 * Installs a CustomResourceDefinition of the provider again when it has been deleted: what this manager serves
 * must exist. The objects are gone by then; what they stood for was left as it was.
 */
export function definitionController(
  provider: ProviderDefinition,
  options: Pick<InstallOptions, 'client'>,
): ControllerOptions<CustomResourceDefinition> {
  const wanted = new Map(customResourceDefinitionsOf(provider).map((each) => [each.metadata.name, each]))
  return {
    name: `customresourcedefinitions.${provider.group}`,
    for: customResourceDefinitions,
    metadataOnly: true,
    concurrency: 1,
    when: ({ type, key }) => type === 'deleted' && wanted.has(key.name),
    reconcile: async ({ key, signal }) => {
      const definition = wanted.get(key.name)
      const { client } = options
      const found = await client.find(customResourceDefinitions, key, { metadataOnly: true, signal })
      if (definition !== undefined && found === undefined) await applyDefinition(definition, { client, signal })
      return done
    },
  }
}

async function applyDefinition(
  definition: CustomResourceDefinition,
  options: Pick<InstallOptions, 'client' | 'signal'>,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await options.client.apply(customResourceDefinitions, definition, {
        fieldManager: FIELD_MANAGER,
        force: true,
        signal: options.signal,
      })
      return
    } catch (error) {
      if (!isConflict(error) || tries === 5) throw error
    }
  }
}

async function established(name: string, options: InstallOptions): Promise<void> {
  const deadline = options.clock.mono() + ESTABLISH_TIMEOUT_MS
  for (;;) {
    const found = await options.client.find(customResourceDefinitions, { name }, { signal: options.signal })
    const ready = found?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')
    if (ready === true) return
    if (options.clock.mono() > deadline) {
      throw new Error(`The CustomResourceDefinition ${name} is not served; see its status.conditions.`)
    }
    await sleep(options.clock, ESTABLISH_POLL_MS, options.signal)
  }
}
