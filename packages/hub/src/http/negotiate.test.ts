import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isApiError } from '../testdata/test-hub.ts'
import { chooseForm } from './negotiate.ts'

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'

for (const { accept, shape, format, as } of [
  { accept: '', shape: 'object', format: 'json', as: 'object' },
  { accept: '*/*', shape: 'list', format: 'json', as: 'object' },
  { accept: 'application/yaml', shape: 'object', format: 'yaml', as: 'object' },
  { accept: 'application/vnd.kubernetes.protobuf,application/json', shape: 'object', format: 'json', as: 'object' },
  { accept: 'application/vnd.kubernetes.protobuf, */*', shape: 'object', format: 'json', as: 'object' },
  { accept: `${table},application/json`, shape: 'list', format: 'json', as: 'Table' },
  {
    accept: 'application/json;as=Table;v=v1alpha1;g=meta.k8s.io,application/json',
    shape: 'list',
    format: 'json',
    as: 'object',
  },
  { accept: 'application/json;q=0.5,application/yaml', shape: 'object', format: 'yaml', as: 'object' },
  { accept: 'application/yaml,application/json', shape: 'watch', format: 'json', as: 'object' },
] as const)
  test(`Accept ${accept || '(none)'} on a ${shape}`, () => {
    const form = chooseForm(accept, shape, 'X')
    assert.deepEqual({ format: form.format, as: form.as }, { format, as })
  })

for (const { accept, shape } of [
  { accept: 'text/html', shape: 'object' },
  { accept: 'application/*', shape: 'object' },
  { accept: 'application/vnd.kubernetes.protobuf', shape: 'object' },
  { accept: 'application/json;as=Table;v=v9;g=meta.k8s.io', shape: 'list' },
  { accept: 'application/yaml', shape: 'watch' },
  { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1', shape: 'object' },
  { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1', shape: 'list' },
] as const)
  test(`Accept ${accept} on a ${shape} is 406`, () => {
    assert.throws(() => chooseForm(accept, shape, 'X'), isApiError(406))
  })
