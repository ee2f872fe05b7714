/** `@orrery/provider`: the provider SDK (kinds, providers) and the engine of managed resources. */

export type { DecideInput, Decision, Dependencies, Desired, RecordState, WaitReason } from './decide.ts'
export { decide } from './decide.ts'
export type { Difference } from './difference.ts'
export { differences, REDACTED } from './difference.ts'
export { ensureHashKey } from './engine/credentials.ts'
export type { Engine, EngineOptions } from './engine/engine.ts'
export { createEngine } from './engine/engine.ts'
export type { EngineMetrics, EngineTiming, EventSink } from './engine/registry.ts'
export type { ErrorClass } from './errors.ts'
export { ExternalError, NotSentError } from './errors.ts'
export type { GuardInput, Verdict } from './guard.ts'
export { guard } from './guard.ts'
export type { InstallOptions } from './install.ts'
export { ensureNamespace, hubIdentity, installDefinitions } from './install.ts'
export type {
  CredentialDefinition,
  Discovered,
  EffectContext,
  EffectResult,
  KindContext,
  KindDefinition,
  Observation,
  OwnershipMark,
  ProbeResult,
  ReferenceDefinition,
  ReferencedObject,
  Send,
} from './kind.ts'
export { defineKind } from './kind.ts'
export type { ProviderConfigObject, ProviderConfigSpec } from './kinds.ts'
export {
  clusterProviderConfigKind,
  customResourceDefinitionsOf,
  managedKind,
  providerConfigKind,
  REFERENCES_ANNOTATION,
} from './kinds.ts'
export type { DriftEntry, ExternalRecord, ManagedKind, ManagedObject, ManagedSpec, ManagedStatus } from './managed.ts'
export { annotations, FINALIZER, IN_USE_FINALIZER } from './managed.ts'
export type { ConnectInput, ProviderDefinition } from './provider.ts'
export { defineProvider } from './provider.ts'
export type { Attempt, EffectName, Safety, SettleStep } from './safety.ts'
export { settleStep } from './safety.ts'
