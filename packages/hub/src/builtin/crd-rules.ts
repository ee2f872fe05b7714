import {
  checkDns1035Label,
  checkDnsSubdomain,
  equalJson,
  type FieldError,
  invalid,
  isJsonObject,
  type JsonObject,
  notSupported,
  required,
} from '@orrery/api'
import { metadataOf } from './columns.ts'
import { checkConversion } from './crd-conversion-rules.ts'
import { checkVersions } from './crd-version-rules.ts'
import { objectAt, objectsAt, textAt, textsAt } from './fields.ts'

const approval = 'api-approved.kubernetes.io'

/** What must hold of a CRD beyond the types of its fields, in the words of Kubernetes. */
export function validateCrd(crd: JsonObject, old: JsonObject | undefined): FieldError[] {
  const spec = objectAt(crd, 'spec')
  return [
    ...checkName(crd, spec),
    ...checkGroup(spec),
    ...checkScope(spec),
    ...checkVersions(spec),
    ...checkNames(objectAt(spec, 'names')),
    ...checkConversion(objectAt(spec, 'conversion')),
    ...checkApproval(crd, spec, old),
    ...checkPreserve(spec),
    ...(old === undefined ? [] : checkUpdate(crd, old)),
  ]
}

function checkName(crd: JsonObject, spec: JsonObject): FieldError[] {
  const name = textAt(metadataOf(crd), 'name')
  const wanted = `${textAt(objectAt(spec, 'names'), 'plural')}.${textAt(spec, 'group')}`
  return name === wanted ? [] : [invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]
}

function checkGroup(spec: JsonObject): FieldError[] {
  const group = textAt(spec, 'group')
  if (group === '') return [required('spec.group')]
  const details = checkDnsSubdomain(group)
  if (details.length > 0) return [invalid('spec.group', group, details.join(','))]
  return group.includes('.') ? [] : [invalid('spec.group', group, 'should be a domain with at least one dot')]
}

function checkScope(spec: JsonObject): FieldError[] {
  const scope = textAt(spec, 'scope')
  if (scope === '') return [required('spec.scope')]
  const scopes = ['Cluster', 'Namespaced']
  return scopes.includes(scope) ? [] : [notSupported('spec.scope', scope, scopes)]
}

function checkNames(names: JsonObject): FieldError[] {
  const path = 'spec.names'
  const errors: FieldError[] = []
  for (const key of ['plural', 'singular', 'kind', 'listKind']) {
    const name = textAt(names, key)
    if (name === '') {
      errors.push(required(`${path}.${key}`))
      continue
    }
    const isKind = key === 'kind' || key === 'listKind'
    const details = checkDns1035Label(isKind ? name.toLowerCase() : name).join(',')
    const prefix = isKind ? 'may have mixed case, but should otherwise match: ' : ''
    if (details !== '') errors.push(invalid(`${path}.${key}`, name, `${prefix}${details}`))
  }
  for (const key of ['shortNames', 'categories']) {
    for (const [index, name] of textsAt(names, key).entries()) {
      const details = checkDns1035Label(name).join(',')
      if (details !== '') errors.push(invalid(`${path}.${key}[${index}]`, name, details))
    }
  }
  const listKind = textAt(names, 'listKind')
  if (listKind !== '' && listKind === textAt(names, 'kind')) {
    errors.push(invalid(`${path}.listKind`, listKind, 'kind and listKind may not be the same'))
  }
  return errors
}

/** Groups of the Kubernetes community are not free for anybody to take. */
function checkApproval(crd: JsonObject, spec: JsonObject, old: JsonObject | undefined): FieldError[] {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(textAt(spec, 'group'))) return []
  const annotation = (object: JsonObject): string => textAt(objectAt(metadataOf(object), 'annotations'), approval)
  const value = annotation(crd)
  if (old !== undefined && annotation(old) === value) return []
  const path = `metadata.annotations[${approval}]`
  if (value === '') {
    const detail = `protected groups must have approval annotation "${approval}", see https://github.com/kubernetes/enhancements/pull/1111`
    return [required(path, detail)]
  }
  if (value.startsWith('unapproved') || URL.canParse(value)) return []
  return [
    invalid(
      path,
      value,
      `protected groups must have approval annotation "${approval}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`,
    ),
  ]
}

function checkPreserve(spec: JsonObject): FieldError[] {
  if (spec['preserveUnknownFields'] !== true) return []
  const detail =
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead'
  return [invalid('spec.preserveUnknownFields', true, detail)]
}

/** What is stored, and how clients address it, must not change under them. */
function checkUpdate(crd: JsonObject, old: JsonObject): FieldError[] {
  const next = objectAt(crd, 'spec')
  const before = objectAt(old, 'spec')
  const errors: FieldError[] = []
  const check = (path: string, value: string, was: string): void => {
    if (value !== was) errors.push(invalid(path, value, 'field is immutable'))
  }
  if (isEstablished(old)) {
    check('spec.scope', textAt(next, 'scope'), textAt(before, 'scope'))
    check('spec.names.kind', textAt(objectAt(next, 'names'), 'kind'), textAt(objectAt(before, 'names'), 'kind'))
  }
  check('spec.group', textAt(next, 'group'), textAt(before, 'group'))
  check('spec.names.plural', textAt(objectAt(next, 'names'), 'plural'), textAt(objectAt(before, 'names'), 'plural'))
  return [...errors, ...checkStoredVersions(crd, old)]
}

const isEstablished = (crd: JsonObject): boolean =>
  objectsAt(objectAt(crd, 'status'), 'conditions').some(
    (item) => item['type'] === 'Established' && item['status'] === 'True',
  )

function checkStoredVersions(crd: JsonObject, old: JsonObject): FieldError[] {
  const status = objectAt(crd, 'status')
  const stored = textsAt(isJsonObject(crd['status']) ? status : objectAt(old, 'status'), 'storedVersions')
  const names = objectsAt(objectAt(crd, 'spec'), 'versions').map((version) => textAt(version, 'name'))
  if (equalJson(stored, names)) return []
  return stored.flatMap((version, index) => {
    if (names.includes(version)) return []
    const detail = `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`
    return [invalid(`status.storedVersions[${index}]`, version, detail)]
  })
}
