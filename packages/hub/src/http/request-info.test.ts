import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isApiError } from '../testdata/test-hub.ts'
import { parseRequestInfo } from './request-info.ts'

const none = { group: '', version: 'v1', namespace: '', name: '', subresource: '' }

for (const { method, target, verb, resource } of [
  { method: 'GET', target: '/api/v1/namespaces', verb: 'list', resource: { ...none, resource: 'namespaces' } },
  { method: 'GET', target: '/api/v1/namespaces/', verb: 'list', resource: { ...none, resource: 'namespaces' } },
  {
    method: 'GET',
    target: '/api/v1/namespaces/a',
    verb: 'get',
    resource: { ...none, resource: 'namespaces', namespace: 'a', name: 'a' },
  },
  {
    method: 'PUT',
    target: '/api/v1/namespaces/a/finalize',
    verb: 'update',
    resource: { ...none, resource: 'namespaces', namespace: 'a', name: 'a', subresource: 'finalize' },
  },
  {
    method: 'POST',
    target: '/api/v1/namespaces/a/configmaps',
    verb: 'create',
    resource: { ...none, resource: 'configmaps', namespace: 'a' },
  },
  {
    method: 'DELETE',
    target: '/api/v1/namespaces/a/configmaps',
    verb: 'deletecollection',
    resource: { ...none, resource: 'configmaps', namespace: 'a' },
  },
  {
    method: 'PATCH',
    target: '/apis/x.io/v2/namespaces/a/things/b/status',
    verb: 'patch',
    resource: { group: 'x.io', version: 'v2', namespace: 'a', resource: 'things', name: 'b', subresource: 'status' },
  },
  {
    method: 'GET',
    target: '/api/v1/configmaps?watch=true',
    verb: 'watch',
    resource: { ...none, resource: 'configmaps' },
  },
  {
    method: 'GET',
    target: '/api/v1/watch/namespaces/a/configmaps',
    verb: 'watch',
    resource: { ...none, resource: 'configmaps', namespace: 'a' },
  },
  {
    method: 'GET',
    target: '/api/v1/namespaces/a/configmaps?watch=0&fieldSelector=metadata.name%3Db',
    verb: 'list',
    resource: { ...none, resource: 'configmaps', namespace: 'a', name: 'b' },
  },
  { method: 'GET', target: '/api/v1', verb: 'get', resource: undefined },
  { method: 'GET', target: '/healthz', verb: 'get', resource: undefined },
  { method: 'GET', target: '/api/v1//namespaces', verb: 'get', resource: undefined },
])
  test(`${method} ${target} means ${verb}`, () => {
    const info = parseRequestInfo(method, target)
    assert.equal(info.verb, verb)
    assert.deepEqual(info.resource, resource)
  })

for (const target of [
  '/api/v1/namespaces/a%2fconfigmaps',
  '/api/v1/namespaces/a%5cb',
  '/api/v1/namespaces/a\\b',
  '/api/v1/namespaces/a%00',
  '/api/v1/namespaces/..',
  '/api/v1/namespaces/%2e%2e',
  '/api/v1/./namespaces',
  '/api/v1/namespaces/%zz',
  '/api/v1/namespaces?limit=%zz',
  '/api/v1/namespaces?watch=maybe',
  'api/v1',
])
  test(`${target} is refused: it could be read in two ways`, () => {
    assert.throws(() => parseRequestInfo('GET', target), isApiError(400))
  })
