import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { isJsonArray, isJsonObject, type Json, type JsonObject, parseJson } from '@orrery/api'
import { definitionOfCustomResource } from '../builtin/custom-resource.ts'
import { builtinDefinitions } from '../builtin/definitions.ts'
import { reviewDefinitions } from '../builtin/reviews.ts'
import { openApiV3 } from './open-api.ts'
import type { OpenApiKind } from './open-api-kind.ts'

function load(url: string): JsonObject {
  const { value } = parseJson(readFileSync(new URL(url, import.meta.url)))
  assert.ok(isJsonObject(value))
  return value
}
const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})
const list = (value: Json | undefined): readonly JsonObject[] => (isJsonArray(value) ? value.filter(isJsonObject) : [])
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

const kinds: readonly OpenApiKind[] = [...builtinDefinitions, ...reviewDefinitions]
const groups = [...new Set(kinds.map(({ info }) => info.group))]
const documents = groups.map((group) => openApiV3(kinds.filter(({ info }) => info.group === group)))
const all = Object.assign({}, ...documents.map((document) => objectOf(document['paths'])))
const paths: JsonObject = all

const compared = ['fieldValidation', 'fieldManager', 'force', 'dryRun']

for (const want of list(load('testdata/operations.json')['operations']))
  test(`kube-apiserver 1.35.4 describes ${text(want['method'])} ${text(want['path'])} alike`, () => {
    const operation = objectOf(objectOf(paths[text(want['path'])])[text(want['method'])])
    const content = objectOf(objectOf(operation['requestBody'])['content'])
    const [tag = ''] = isJsonArray(operation['tags']) ? operation['tags'] : []
    assert.deepEqual(
      {
        ...want,
        action: operation['x-kubernetes-action'],
        id: operation['operationId'],
        tag,
        kind: objectOf(operation['x-kubernetes-group-version-kind'])['kind'],
        body: Object.keys(content).sort(),
        query: list(operation['parameters'])
          .map((parameter) => text(parameter['name']))
          .filter((name) => compared.includes(name))
          .sort(),
      },
      want,
    )
  })

/** Every `$ref` in a value. */
function references(value: Json): string[] {
  if (isJsonArray(value)) return value.flatMap(references)
  if (!isJsonObject(value)) return []
  return Object.entries(value).flatMap(([key, member]) => (key === '$ref' ? [text(member)] : references(member)))
}

const { crd } = load('../builtin/testdata/table.json')
assert.ok(isJsonObject(crd))
const custom = openApiV3([definitionOfCustomResource(crd, 'v1')])

for (const document of [...documents, custom])
  test(`every reference of the document of ${Object.keys(objectOf(document['paths']))[0]} resolves`, () => {
    const schemas = objectOf(objectOf(document['components'])['schemas'])
    for (const reference of references(document)) {
      assert.ok(Object.hasOwn(schemas, reference.replace('#/components/schemas/', '')), reference)
    }
  })

test('a custom resource is published under its reversed group, with its fields and its scale', () => {
  const schemas = objectOf(objectOf(custom['components'])['schemas'])
  const widget = objectOf(schemas['com.example.w.v1.Widget'])
  assert.deepEqual(widget['x-kubernetes-group-version-kind'], [
    { group: 'w.example.com', version: 'v1', kind: 'Widget' },
  ])
  assert.deepEqual(Object.keys(objectOf(widget['properties'])).sort(), [
    'apiVersion',
    'kind',
    'metadata',
    'spec',
    'status',
  ])
  assert.ok(Object.hasOwn(schemas, 'com.example.w.v1.WidgetList'))
  assert.ok(Object.hasOwn(schemas, 'io.k8s.api.autoscaling.v1.Scale'))
})

test('custom resources take no strategic merge patch', () => {
  const item = objectOf(objectOf(custom['paths'])['/apis/w.example.com/v1/namespaces/{namespace}/widgets/{name}'])
  const content = objectOf(objectOf(objectOf(item['patch'])['requestBody'])['content'])
  assert.deepEqual(Object.keys(content).sort(), [
    'application/apply-patch+yaml',
    'application/json-patch+json',
    'application/merge-patch+json',
  ])
})

test('lists keep what kubectl apply needs to merge them', () => {
  const [core = {}] = documents
  const schemas = objectOf(objectOf(core['components'])['schemas'])
  const secretsField = objectOf(
    objectOf(objectOf(schemas['io.k8s.api.core.v1.ServiceAccount'])['properties'])['secrets'],
  )
  assert.equal(secretsField['x-kubernetes-patch-merge-key'], 'name')
  const owners = objectOf(
    objectOf(objectOf(schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'])['properties'])['ownerReferences'],
  )
  assert.equal(owners['x-kubernetes-patch-merge-key'], 'uid')
})
