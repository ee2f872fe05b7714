import {
  checkDns1035Label,
  type FieldError,
  forbidden,
  invalid,
  type JsonObject,
  notSupported,
  required,
} from '@orrery/api'
import { objectAt, textAt, textsAt } from './fields.ts'

const path = 'spec.conversion'
const clientPath = `${path}.webhookClientConfig`

/** How versions are converted: nothing to say for `None`, an address and versions for `Webhook`. */
export function checkConversion(conversion: JsonObject): FieldError[] {
  const strategy = textAt(conversion, 'strategy')
  if (strategy === '') return [required(`${path}.strategy`)]
  if (strategy !== 'None' && strategy !== 'Webhook')
    return [notSupported(`${path}.strategy`, strategy, ['None', 'Webhook'])]
  const webhook = objectAt(conversion, 'webhook')
  const versions = textsAt(webhook, 'conversionReviewVersions')
  const hasClient = Object.hasOwn(webhook, 'clientConfig')
  if (strategy === 'Webhook') {
    const client = hasClient
      ? checkClient(objectAt(webhook, 'clientConfig'))
      : [required(clientPath, 'required when strategy is set to Webhook')]
    return [...client, ...checkReviewVersions(versions)]
  }
  const detail = 'should not be set when strategy is not set to Webhook'
  return [
    ...(hasClient ? [forbidden(clientPath, detail)] : []),
    ...(versions.length > 0 ? [forbidden(`${path}.conversionReviewVersions`, detail)] : []),
  ]
}

function checkClient(client: JsonObject): FieldError[] {
  const hasUrl = Object.hasOwn(client, 'url')
  if (hasUrl === Object.hasOwn(client, 'service'))
    return [required(clientPath, 'exactly one of url or service is required')]
  if (hasUrl) return checkUrl(textAt(client, 'url'))
  const service = objectAt(client, 'service')
  return ['name', 'namespace']
    .filter((key) => textAt(service, key) === '')
    .map((key) => required(`${clientPath}.service.${key}`, `service ${key} is required`))
}

function checkUrl(text: string): FieldError[] {
  const form = 'desired format: https://host[/path]'
  const url = URL.parse(text)
  if (url === null) return [invalid(`${clientPath}.url`, text, `url must be a valid URL; ${form}`)]
  const details: string[] = []
  if (url.protocol !== 'https:')
    return [invalid(`${clientPath}.url`, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`)]
  if (url.username !== '' || url.password !== '') details.push('user information is not permitted in the URL')
  if (url.search !== '') details.push('query parameters are not permitted in the URL')
  if (url.hash !== '') details.push('fragments are not permitted in the URL')
  // The value is not printed: it may hold credentials.
  return details.map((detail) => invalid(`${clientPath}.url`, url.origin, detail))
}

function checkReviewVersions(versions: readonly string[]): FieldError[] {
  const at = `${path}.conversionReviewVersions`
  if (versions.length === 0) return [required(at)]
  const errors = versions.flatMap((version, index) => {
    if (versions.indexOf(version) < index) return [invalid(`${at}[${index}]`, version, 'duplicate version')]
    return checkDns1035Label(version).map((detail) => invalid(`${at}[${index}]`, version, detail))
  })
  const isKnown = versions.some((version) => version === 'v1' || version === 'v1beta1')
  return isKnown ? errors : [...errors, invalid(at, versions, 'must include at least one of v1, v1beta1')]
}
