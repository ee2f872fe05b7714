import type { FieldError, HttpHeaders, Json, JsonObject } from '@orrery/api'
import { isObject } from '../registry/json-access.ts'
import { badRequest, invalidOptions } from './errors.ts'
import { booleanParameter, integerParameter, parameter, type Query, textParameter } from './query.ts'

/** What to do about unknown and duplicate fields: drop silently, drop with a Warning header, or refuse. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

/** Options of create, update and patch. */
export interface WriteOptions {
  readonly dryRun: boolean
  /** Who manages the fields that are written. Never empty. */
  readonly fieldManager: string
  readonly fieldValidation: FieldValidation
  /** Apply only: take fields from other managers. */
  readonly force: boolean
}

export type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan'

/** Options of delete and deletecollection, from the body or, without one, from the query. */
export interface DeleteOptions {
  readonly dryRun: boolean
  readonly propagationPolicy: PropagationPolicy | undefined
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string }
  /** Removes an object whose stored form cannot be read, past its finalizers, which nobody knows any more. */
  readonly ignoreStoreReadError?: boolean
}

/** As Kubernetes calls it, so that nobody sets it by accident. */
const ignoreReadError = 'ignoreStoreReadErrorWithClusterBreakingPotential'

/** Kubernetes' limit; a manager's name is stored with every object it touches. */
const maxFieldManagerBytes = 128

interface WriteOptionsInput {
  readonly kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions'
  readonly query: Query
  readonly headers: HttpHeaders
  readonly apply?: boolean
}

/** Reads and checks the options of a write. Throws 422 on the options kind. */
export function writeOptions({ kind, query, headers, apply = false }: WriteOptionsInput): WriteOptions {
  const errors: FieldError[] = []
  const dryRuns = query.get('dryRun') ?? []
  checkDryRun(dryRuns, errors)
  const given = textParameter(query, 'fieldManager')
  checkFieldManager(given, errors)
  const force = booleanParameter(query, 'force')
  if (apply && given === '') {
    errors.push({
      path: 'fieldManager',
      reason: 'FieldValueRequired',
      message: 'Required value: is required for apply patch',
    })
  }
  if (!apply && kind === 'PatchOptions' && query.has('force')) {
    errors.push({
      path: 'force',
      reason: 'FieldValueForbidden',
      message: 'Forbidden: may not be specified for non-apply patch',
    })
  }
  const fieldValidation = fieldValidationOf(textParameter(query, 'fieldValidation'), errors)
  if (errors.length > 0) throw invalidOptions(kind, errors)
  return {
    dryRun: dryRuns.length > 0,
    fieldManager: given === '' ? managerOfUserAgent(headers['user-agent']) : given,
    fieldValidation,
    force,
  }
}

function checkDryRun(values: readonly Json[], errors: FieldError[]): void {
  if (values.every((value) => value === 'All')) return
  const message = `Unsupported value: ${JSON.stringify(values.map(String))}: supported values: "All"`
  errors.push({ path: 'dryRun', reason: 'FieldValueNotSupported', message })
}

function checkFieldManager(manager: string, errors: FieldError[]): void {
  if (Buffer.byteLength(manager) > maxFieldManagerBytes) {
    const message = `Too long: may not be more than ${maxFieldManagerBytes} bytes`
    errors.push({ path: 'fieldManager', reason: 'FieldValueTooLong', message })
  }
  if (/[^\P{C}]|[\p{Zl}\p{Zp}]/u.test(manager)) {
    const message = `Invalid value: ${JSON.stringify(manager)}: should only contain printable characters`
    errors.push({ path: 'fieldManager', reason: 'FieldValueInvalid', message })
  }
}

function fieldValidationOf(value: string, errors: FieldError[]): FieldValidation {
  if (value === '' || value === 'Warn') return 'Warn'
  if (value === 'Ignore' || value === 'Strict') return value
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: "", "Ignore", "Strict", "Warn"`
  errors.push({ path: 'fieldValidation', reason: 'FieldValueNotSupported', message })
  return 'Warn'
}

function managerOfUserAgent(header: string | readonly string[] | undefined): string {
  const agent = typeof header === 'string' ? header : (header?.[0] ?? '')
  const slash = agent.indexOf('/')
  const product = (slash < 0 ? agent : agent.slice(0, slash)).replaceAll(/[^\x20-\x7e]/g, '')
  return product.slice(0, maxFieldManagerBytes) || 'unknown'
}

/** Reads and checks the options of a delete. A body, when there is one, replaces the query entirely. */
export function deleteOptions(query: Query, body: JsonObject | undefined): DeleteOptions {
  const errors: FieldError[] = []
  const source = body ?? optionsOfQuery(query)
  const dryRun = source['dryRun']
  const dryRuns = Array.isArray(dryRun) ? dryRun : []
  checkDryRun(dryRuns, errors)
  const policy = source['propagationPolicy']
  const orphan = source['orphanDependents']
  if (orphan !== undefined && orphan !== null && policy !== undefined && policy !== null) {
    const message = `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`
    errors.push({ path: 'propagationPolicy', reason: 'FieldValueInvalid', message })
  }
  const propagationPolicy = policyOf(policy, orphan, errors)
  if (errors.length > 0) throw invalidOptions('DeleteOptions', errors)
  return {
    dryRun: dryRuns.length > 0,
    propagationPolicy,
    preconditions: preconditionsOf(source['preconditions']),
    ignoreStoreReadError: source[ignoreReadError] === true,
  }
}

function optionsOfQuery(query: Query): JsonObject {
  const dryRun = query.get('dryRun')
  const policy = parameter(query, 'propagationPolicy')
  const grace = integerParameter(query, 'gracePeriodSeconds')
  return {
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(query.has(ignoreReadError) ? { [ignoreReadError]: booleanParameter(query, ignoreReadError) } : {}),
    ...(query.has('orphanDependents') ? { orphanDependents: booleanParameter(query, 'orphanDependents') } : {}),
  }
}

function policyOf(
  policy: Json | undefined,
  orphan: Json | undefined,
  errors: FieldError[],
): PropagationPolicy | undefined {
  if (policy === undefined || policy === null || policy === '') {
    if (orphan === true) return 'Orphan'
    return orphan === false ? 'Background' : undefined
  }
  if (policy === 'Background' || policy === 'Foreground' || policy === 'Orphan') return policy
  const message = `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`
  errors.push({ path: 'propagationPolicy', reason: 'FieldValueNotSupported', message })
  return undefined
}

function preconditionsOf(value: Json | undefined): DeleteOptions['preconditions'] {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw badRequest('DeleteOptions.preconditions must be an object')
  const { uid, resourceVersion } = value
  for (const part of [uid, resourceVersion]) {
    if (part !== undefined && part !== null && typeof part !== 'string') {
      throw badRequest('DeleteOptions.preconditions: uid and resourceVersion must be strings')
    }
  }
  return {
    ...(typeof uid === 'string' ? { uid } : {}),
    ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
  }
}
