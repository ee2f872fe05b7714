import type { Condition, JsonSchema, Kind, ResourceObject } from '@orrery/api'
import { anyObject, array, boolean, integer, map, object, oneOf, optional, string } from '@orrery/api'
import type { Attempt, EffectName } from './safety.ts'

/** The parts that every managed resource has, whatever its kind. See design of managed resources in ARCHITECTURE.md. */

export const FINALIZER = 'orrery.dev/managed'
/** On instances, configs and credential Secrets while an object, living or terminating, uses them. */
export const IN_USE_FINALIZER = 'orrery.dev/in-use'

export const annotations = {
  externalName: 'orrery.dev/external-name',
  paused: 'orrery.dev/paused',
  reconcileAt: 'orrery.dev/reconcile-at',
  adopt: 'orrery.dev/adopt',
  settle: 'orrery.dev/settle',
} as const

export type ManagementPolicy = 'Observe' | 'Create' | 'Update' | 'Delete' | '*'

export interface ManagedSpec {
  readonly forProvider: Readonly<Record<string, unknown>>
  readonly managementPolicies: readonly ManagementPolicy[]
  readonly providerConfigRef?: { readonly name: string; readonly kind?: 'ProviderConfig' | 'ClusterProviderConfig' }
  readonly writeConnectionSecretToRef?: { readonly name: string }
  readonly driftPolicy: 'Correct' | 'Report'
  readonly lossPolicy?: 'Report' | 'Recreate'
  readonly forceDestroy?: boolean
}

/** What is known of the external thing. Losing it makes us look for our mark, never create blindly. */
export interface ExternalRecord {
  readonly name: string
  readonly id?: string
  /** Made or adopted by this object. Only then may it be changed or deleted. */
  readonly ownership: 'Created' | 'Adopted'
  /** When it was created or adopted, RFC 3339. */
  readonly since: string
}

export interface DriftEntry {
  readonly path: string
  readonly desired: string
  readonly actual: string
  readonly since: string
}

export interface ManagedStatus {
  readonly observedGeneration?: number
  readonly conditions?: readonly Condition[]
  readonly atProvider?: Readonly<Record<string, unknown>>
  readonly external?: ExternalRecord
  readonly attempt?: Attempt
  /** By effect: until when a call whose outcome never became known could still take effect. RFC 3339 with milliseconds. */
  readonly settling?: Readonly<Partial<Record<EffectName, string>>>
  readonly drift?: readonly DriftEntry[]
  /** What is pending and why it waits. */
  readonly plan?: { readonly action: string; readonly reason: string; readonly message: string }
  /** Last resolved references by field: names of objects, and the values they gave. */
  readonly references?: Readonly<Record<string, { readonly names: readonly string[]; readonly value: unknown }>>
  /** Keyed hashes of the secret values in effect outside, by credential. */
  readonly credentialHashes?: Readonly<Record<string, string>>
  /** Generation at which the outside last agreed with the spec; what differs later is drift. */
  readonly syncedGeneration?: number
}

export type ManagedObject = ResourceObject<ManagedSpec, ManagedStatus>
export type ManagedKind = Kind<ManagedObject>

const condition = object({
  type: string(),
  status: oneOf(['True', 'False', 'Unknown']),
  reason: string(),
  message: string(),
  lastTransitionTime: string({ format: 'date-time' }),
  observedGeneration: optional(integer({ format: 'int64' })),
})

/** `status` around a kind's own `atProvider`. */
export function statusSchema(atProvider: JsonSchema): JsonSchema {
  const base = object({
    observedGeneration: optional(
      integer({ format: 'int64', description: 'Generation of the last completed reconcile.' }),
    ),
    conditions: optional(
      array(condition, {
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
        description:
          'Ready: usable, proved as a client would use it. Synced: the last calls succeeded. UpToDate: nothing differs.',
      }),
    ),
    external: optional(
      object(
        {
          name: string(),
          id: optional(string()),
          ownership: oneOf(['Created', 'Adopted']),
          since: string({ format: 'date-time' }),
        },
        { description: 'The external thing that belongs to this object.' },
      ),
    ),
    attempt: optional(anyObject({ description: 'The external call whose outcome is not yet recorded.' })),
    settling: optional(
      map(string(), { description: 'By effect, until when an unanswered call could still take effect.' }),
    ),
    drift: optional(
      array(object({ path: string(), desired: string(), actual: string(), since: string({ format: 'date-time' }) }), {
        'x-kubernetes-list-type': 'atomic',
        description: 'Fields that differ outside from what is desired; at most 32.',
      }),
    ),
    plan: optional(
      object(
        { action: string(), reason: string(), message: string() },
        { description: 'What is pending and why it waits.' },
      ),
    ),
    references: optional(anyObject({ description: 'Resolved references by field.' })),
    credentialHashes: optional(map(string(), { description: 'Keyed hashes of the secrets in effect.' })),
    syncedGeneration: optional(integer({ format: 'int64' })),
  }).json
  return { ...base, properties: { ...base.properties, atProvider } }
}

/** `spec` around a kind's own `forProvider`. */
export function specSchema(forProvider: JsonSchema, options: { readonly providerConfig: boolean }): JsonSchema {
  const base = object({
    writeConnectionSecretToRef: optional(
      object(
        { name: string({ minLength: 1, maxLength: 253 }) },
        { description: 'Secret in this namespace that receives the connection details.' },
      ),
    ),
    lossPolicy: optional(
      oneOf(['Report', 'Recreate'], { description: 'What to do when the external thing has vanished.' }),
    ),
    forceDestroy: optional(boolean({ description: 'Allows deletion of what is not empty.' })),
  }).json
  const managementPolicies: JsonSchema = {
    type: 'array',
    items: { type: 'string', enum: ['Observe', 'Create', 'Update', 'Delete', '*'] },
    minItems: 1,
    default: ['*'],
    'x-kubernetes-list-type': 'set',
    description: 'What may be done outside. Without Delete the external thing is left alone when the object goes.',
  }
  const driftPolicy: JsonSchema = {
    type: 'string',
    enum: ['Correct', 'Report'],
    default: 'Correct',
    description: 'Whether changes made outside are undone or only reported.',
  }
  const providerConfigRef: JsonSchema = {
    type: 'object',
    properties: {
      name: { type: 'string', minLength: 1 },
      kind: { type: 'string', enum: ['ProviderConfig', 'ClusterProviderConfig'], default: 'ProviderConfig' },
    },
    required: ['name'],
    default: { name: 'default' },
    description: 'How to reach the system.',
  }
  return {
    ...base,
    properties: {
      forProvider,
      managementPolicies,
      driftPolicy,
      ...(options.providerConfig ? { providerConfigRef } : {}),
      ...base.properties,
    },
    required: ['forProvider'],
  }
}

/** Whether the policies of an object allow an effect. */
export function allows(spec: ManagedSpec, policy: 'Create' | 'Update' | 'Delete'): boolean {
  return spec.managementPolicies.includes('*') || spec.managementPolicies.includes(policy)
}

/** Whether the policies of an object allow no effect at all. */
export function isObserveOnly(spec: ManagedSpec): boolean {
  return !allows(spec, 'Create') && !allows(spec, 'Update') && !allows(spec, 'Delete')
}
