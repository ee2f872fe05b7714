import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { silentLogger } from '@orrery/api'
import { fetchClientTools } from '@orrery/testing/kubernetes'
import { writeKubeconfig } from './node/kubeconfig.ts'
import { type Listener, listen } from './node/listener.ts'
import { openPki } from './node/pki.ts'
import { objectAt, textAt } from './registry/json-access.ts'
import { createTestHub, type TestHub } from './testdata/test-hub.ts'

const run = promisify(execFile)
const fetched = await fetchClientTools()
const helm = 'tools' in fetched ? fetched.tools.helm : ''

const files: Readonly<Record<string, string>> = {
  'Chart.yaml': 'apiVersion: v2\nname: tiny\nversion: 0.1.0\n',
  'values.yaml': 'word: hello\nsize: 1\n',
  'crds/gizmos.yaml': `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gizmos.helm.example.com}
spec:
  group: helm.example.com
  scope: Namespaced
  names: {plural: gizmos, singular: gizmo, kind: Gizmo}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {size: {type: integer}}}}
`,
  'templates/all.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-words}
data: {word: {{ .Values.word }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-secret}
stringData: {word: {{ .Values.word }}}
---
apiVersion: helm.example.com/v1
kind: Gizmo
metadata: {name: {{ .Release.Name }}}
spec: {size: {{ .Values.size }}}
`,
}

suite('Helm 4', { skip: 'why' in fetched ? fetched.why : false }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'orrery-helm-'))
  const chart = join(directory, 'chart')
  const kubeconfig = join(directory, 'kubeconfig')
  const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: directory }
  let hub: TestHub
  let listener: Listener

  before(async () => {
    hub = await createTestHub()
    const pki = openPki({ directory: join(directory, 'pki'), nowMs: Date.now() })
    const { server, authority } = pki
    listener = await listen({ hub: hub.hub, log: silentLogger, server, authority, host: '127.0.0.1', port: 0 })
    writeKubeconfig({ path: kubeconfig, server: listener.url, authority, user: pki.admin })
    for (const folder of ['crds', 'templates']) mkdirSync(join(chart, folder), { recursive: true })
    for (const [name, content] of Object.entries(files)) writeFileSync(join(chart, name), content)
  })
  after(async () => {
    await listener[Symbol.asyncDispose]()
    await hub[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  const call = async (...args: readonly string[]) =>
    (await run(helm, [...args, '-n', 'apps'], { env, timeout: 60_000 })).stdout
  const word = async () =>
    textAt(objectAt((await hub.get('/api/v1/namespaces/apps/configmaps/r-words')).body, 'data'), 'word')
  const size = async () =>
    objectAt((await hub.get('/apis/helm.example.com/v1/namespaces/apps/gizmos/r')).body, 'spec')['size']

  test('installs a release with a custom resource of its own', async () => {
    assert.match(await call('install', 'r', chart, '--create-namespace'), /STATUS: deployed/)
    assert.equal(await word(), 'hello')
    assert.equal(await size(), 1)
  })

  test('upgrades it and rolls it back', async () => {
    assert.match(await call('upgrade', 'r', chart, '--set', 'word=again,size=2'), /REVISION: 2/)
    assert.deepEqual([await word(), await size()], ['again', 2])
    await call('rollback', 'r', '1')
    assert.deepEqual([await word(), await size()], ['hello', 1])
    assert.match(await call('list'), /r\s+apps\s+3\s/)
  })

  test('uninstalls it, and leaves nothing', async () => {
    assert.match(await call('uninstall', 'r', '--wait'), /uninstalled/)
    assert.equal((await hub.get('/api/v1/namespaces/apps/configmaps/r-words')).status, 404)
    assert.deepEqual((await hub.get('/api/v1/namespaces/apps/secrets')).body['items'], [])
  })
})
