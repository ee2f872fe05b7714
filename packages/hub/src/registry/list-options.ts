import {
  type FieldError,
  type FieldRequirement,
  type LabelSelector,
  parseFieldSelector,
  parseLabelSelector,
  SelectorError,
} from '@orrery/api'
import type { Match } from '../cache/cache.ts'
import { badRequest, invalidOptions } from '../http/errors.ts'
import { booleanParameter, integerParameter, type Query, textParameter } from '../http/query.ts'
import type { ResourceTarget } from '../http/request-info.ts'
import type { ServedResource } from './served-resource.ts'

export interface ListOptions {
  readonly match: Match
  readonly hasSelector: boolean
  /** Undefined means no limit. */
  readonly limit: number | undefined
  readonly continue: string
  /** Undefined when absent. */
  readonly resourceVersion: number | undefined
  readonly resourceVersionMatch: '' | 'Exact' | 'NotOlderThan'
  /** Undefined when the parameter is absent. */
  readonly sendInitialEvents: boolean | undefined
  readonly allowWatchBookmarks: boolean
  readonly timeoutSeconds: number | undefined
}

/** Longer selectors cost more than any list they could shorten. */
const maxSelectorLength = 16 * 1024

/** Reads and checks the options of list, watch and deletecollection. Throws 400 or 422. */
export function listOptions(
  query: Query,
  target: ResourceTarget,
  resource: ServedResource,
  watch: boolean,
): ListOptions {
  const versionText = textParameter(query, 'resourceVersion')
  const matchText = textParameter(query, 'resourceVersionMatch')
  const continueText = textParameter(query, 'continue')
  const sendInitialEvents = query.has('sendInitialEvents') ? booleanParameter(query, 'sendInitialEvents') : undefined
  const errors = watch
    ? watchErrors(matchText, sendInitialEvents, continueText)
    : listErrors(matchText, versionText, continueText, sendInitialEvents)
  if (errors.length > 0) throw invalidOptions('ListOptions', errors)
  const limit = integerParameter(query, 'limit')
  const timeoutSeconds = integerParameter(query, 'timeoutSeconds')
  if (timeoutSeconds !== undefined && timeoutSeconds < 0) throw badRequest('timeoutSeconds must not be negative')
  const labels = labelsOf(textParameter(query, 'labelSelector'))
  const fields = fieldsOf(textParameter(query, 'fieldSelector'), resource)
  return {
    match: matchOf(target, labels, fields),
    hasSelector: labels.length > 0 || fields.length > 0,
    limit: limit === undefined || limit <= 0 ? undefined : limit,
    continue: continueText,
    resourceVersion: versionText === '' ? undefined : parseVersion(versionText),
    resourceVersionMatch: matchText === 'Exact' || matchText === 'NotOlderThan' ? matchText : '',
    sendInitialEvents,
    allowWatchBookmarks: booleanParameter(query, 'allowWatchBookmarks'),
    timeoutSeconds,
  }
}

/** A resourceVersion of a read. Throws 400. */
export function parseVersion(text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  const shown = JSON.stringify(text.slice(0, 64))
  throw badRequest(
    `invalid resource version: resourceVersion: Invalid value: ${shown}: strconv.ParseUint: parsing ${shown}: invalid syntax`,
  )
}

function matchOf(target: ResourceTarget, labels: LabelSelector, fields: readonly FieldRequirement[]): Match {
  const named = (path: string) => fields.find((field) => field.path === path && field.operator === '=')?.value
  const namespace = target.namespace === '' ? named('metadata.namespace') : target.namespace
  const name = named('metadata.name')
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(labels.length === 0 ? {} : { labels }),
    ...(fields.length === 0 ? {} : { fields }),
  }
}

function labelsOf(text: string): LabelSelector {
  return text === '' ? [] : parseSelector(text, parseLabelSelector)
}

function fieldsOf(text: string, { definition }: ServedResource): readonly FieldRequirement[] {
  if (text === '') return []
  const fields = parseSelector(text, parseFieldSelector)
  for (const { path } of fields) {
    if (path === 'metadata.name' || path === 'metadata.namespace') continue
    if (definition.selectableFields.includes(path)) continue
    const hasOwn = definition.custom || definition.selectableFields.length > 0
    throw badRequest(
      hasOwn
        ? `field label not supported: ${path}`
        : `${JSON.stringify(path)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
    )
  }
  return fields
}

function parseSelector<T>(text: string, parse: (text: string) => T): T {
  if (text.length > maxSelectorLength)
    throw badRequest(`a selector must not be longer than ${maxSelectorLength} characters`)
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error
    throw badRequest(error.message, error)
  }
}

const versionMatchError = (message: string, reason = 'FieldValueForbidden'): FieldError => ({
  path: 'resourceVersionMatch',
  reason,
  message,
})

function listErrors(match: string, version: string, token: string, initial: boolean | undefined): FieldError[] {
  const errors: FieldError[] = []
  if (match !== '') {
    if (version === '') {
      errors.push(versionMatchError('Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided'))
    }
    if (token !== '')
      errors.push(versionMatchError('Forbidden: resourceVersionMatch is forbidden when continue is provided'))
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`
      errors.push(versionMatchError(message, 'FieldValueNotSupported'))
    }
    if (match === 'Exact' && version === '0') {
      errors.push(versionMatchError('Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    }
  }
  if (initial !== undefined) {
    const message = 'Forbidden: sendInitialEvents is forbidden for list'
    errors.push({ path: 'sendInitialEvents', reason: 'FieldValueForbidden', message })
  }
  return errors
}

function watchErrors(match: string, initial: boolean | undefined, token: string): FieldError[] {
  const errors: FieldError[] = []
  // Also without a match: a watch has no pages to go on from.
  if (token !== '') {
    errors.push(versionMatchError('Forbidden: resourceVersionMatch is forbidden when continue is provided'))
  }
  if (initial === undefined) {
    if (match !== '') {
      errors.push(
        versionMatchError(
          'Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        ),
      )
    }
    return errors
  }
  if (match !== 'NotOlderThan') {
    errors.push(versionMatchError('Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
    if (match !== '') {
      const message = `Unsupported value: ${JSON.stringify(match)}: supported values: "NotOlderThan"`
      errors.push(versionMatchError(message, 'FieldValueNotSupported'))
    }
  }
  return errors
}
