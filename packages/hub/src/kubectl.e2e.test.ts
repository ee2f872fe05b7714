import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { silentLogger } from '@orrery/api'
import { fetchClientTools, machineKubectl } from '@orrery/testing/kubernetes'
import { writeKubeconfig } from './node/kubeconfig.ts'
import { type Listener, listen } from './node/listener.ts'
import { openPki } from './node/pki.ts'
import { createTestHub, type TestHub } from './testdata/test-hub.ts'

const fetched = await fetchClientTools()
const machine = await machineKubectl()
const programs = [
  ...('tools' in fetched ? [{ name: 'kubectl 1.35', kubectl: fetched.tools.kubectl }] : []),
  ...(machine === undefined ? [] : [{ name: `kubectl ${machine.version} of the machine`, kubectl: machine.path }]),
]
if ('why' in fetched) test('kubectl 1.35 and Helm', { skip: fetched.why }, () => undefined)

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

for (const { name: program, kubectl } of programs)
  suite(program, () => {
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
      await run('create', 'namespace', 'workshop')
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
      const child = execFile(kubectl, args, { env: environment(more), timeout: 30_000 }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr })
      })
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
metadata: {name: applied, namespace: workshop}
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
      assert.equal(await run('-n', 'workshop', 'get', 'cm', 'applied', '-o', 'jsonpath={.data.key}'), 'two')
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
        'workshop',
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
      await run('-n', 'workshop', 'create', 'configmap', 'edited', '--from-literal=word=before')
      const editor = join(directory, 'editor.sh')
      writeFileSync(editor, '#!/bin/sh\nsed -i s/before/after/ "$1"\n')
      chmodSync(editor, 0o755)
      const result = await runWith({ EDITOR: editor, KUBE_EDITOR: editor }, undefined, [
        '-n',
        'workshop',
        'edit',
        'configmap',
        'edited',
      ])
      assert.match(expectOk(result, ['edit']), /edited/)
      assert.equal(await run('-n', 'workshop', 'get', 'cm', 'edited', '-o', 'jsonpath={.data.word}'), 'after')
    })

    test('patches, labels and annotates', async () => {
      await run('-n', 'workshop', 'create', 'configmap', 'patched')
      for (const [type, patch] of [
        ['strategic', '{"data":{"a":"1"}}'],
        ['merge', '{"data":{"b":"2"}}'],
        ['json', '[{"op":"add","path":"/data/c","value":"3"}]'],
      ] as const) {
        assert.match(await run('-n', 'workshop', 'patch', 'cm', 'patched', `--type=${type}`, '-p', patch), /patched/)
      }
      assert.match(await run('-n', 'workshop', 'label', 'cm', 'patched', 'tier=gold'), /labeled/)
      assert.match(await run('-n', 'workshop', 'annotate', 'cm', 'patched', 'note=x'), /annotated/)
      assert.equal(await run('-n', 'workshop', 'get', 'cm', '-l', 'tier=gold', '-o', 'name'), 'configmap/patched\n')
    })

    test('prints tables, YAML and descriptions', async () => {
      await run('-n', 'workshop', 'create', 'secret', 'generic', 'shown', '--from-literal=a=b')
      assert.match(await run('get', 'namespaces', '-o', 'wide'), /NAME\s+STATUS\s+AGE[\s\S]*default\s+Active/)
      assert.match(
        await run('-n', 'workshop', 'get', 'secret', 'shown', '-o', 'yaml'),
        /^apiVersion: v1\ndata:\n {2}a: Yg==\n/,
      )
      assert.match(await run('-n', 'workshop', 'describe', 'secret', 'shown'), /Name:\s+shown[\s\S]*a:\s+1 bytes/)
      assert.match(await run('describe', 'namespace', 'workshop'), /Status:\s+Active/)
      assert.match(await run('get', 'ns', '--chunk-size=2'), /kube-system/)
      assert.match(await run('get', 'cm', '-A'), /NAMESPACE\s+NAME/)
    })

    test('watches', async () => {
      const child = spawn(kubectl, ['-n', 'workshop', 'get', 'cm', '-w', '-o', 'name', '-l', 'watch=yes'], {
        env: environment(),
      })
      const lines = createInterface({ input: child.stdout })
      const first = once(lines, 'line')
      await hub.post('/api/v1/namespaces/workshop/configmaps', { metadata: { name: 'seen', labels: { watch: 'yes' } } })
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
      await run('-n', 'workshop', 'create', 'configmap', 'doomed')
      const waited = run('-n', 'workshop', 'wait', '--for=delete', 'cm/doomed', '--timeout=20s')
      assert.match(await run('-n', 'workshop', 'delete', 'cm', 'doomed'), /deleted/)
      await waited
      assert.equal((await runWith({}, undefined, ['-n', 'workshop', 'get', 'cm', 'doomed'])).code, 1)
      assert.match(
        await run('wait', '--for=jsonpath={.status.phase}=Active', 'ns/workshop', '--timeout=20s'),
        /condition met/,
      )
    })

    test('selects, and prints in each form', async () => {
      await run('-n', 'workshop', 'create', 'configmap', 'formed', '--from-literal=k=v')
      await run('-n', 'workshop', 'label', 'cm', 'formed', 'form=yes')
      const get = (...args: readonly string[]) => run('-n', 'workshop', 'get', 'cm', '-l', 'form=yes', ...args)
      assert.match(await get(), /NAME\s+DATA\s+AGE\nformed\s+1\s+\d+s\n/)
      assert.match(await get('--show-labels'), /form=yes/)
      assert.match(await get('-L', 'form'), /FORM\nformed .* yes/)
      assert.match(await get('-o', 'json'), /"kind": "ConfigMapList"|"kind": "List"/)
      assert.equal(await get('-o', 'custom-columns=N:.metadata.name,V:.data.k'), 'N        V\nformed   v\n')
      assert.equal(await get('-o', 'go-template={{range .items}}{{.metadata.name}}{{end}}'), 'formed')
      assert.equal(
        await run('-n', 'workshop', 'get', 'cm', '--field-selector', 'metadata.name=formed', '-o', 'name'),
        'configmap/formed\n',
      )
      assert.match(await run('-n', 'workshop', 'get', 'cm,secret', '-o', 'name'), /configmap\/formed/)
      assert.match(await run('get', 'ns', '--sort-by=.metadata.name', '-o', 'name'), /default\nnamespace\/kube/)
      assert.equal(await run('get', '--raw', '/healthz'), 'ok')
    })

    test('says what is not there, and what is not known', async () => {
      const missing = await runWith({}, undefined, ['-n', 'workshop', 'get', 'cm', 'nope'])
      assert.equal(missing.stderr, 'Error from server (NotFound): configmaps "nope" not found\n')
      assert.match((await runWith({}, undefined, ['get', 'gizmos'])).stderr, /doesn't have a resource type "gizmos"/)
      const none = await runWith({}, undefined, ['-n', 'workshop', 'get', 'leases'])
      assert.match(none.stderr, /No resources found in workshop namespace/)
    })

    test('refuses unknown fields, and warns where that is asked for', async () => {
      const text = `${configMap('v').replace('applied', 'strict')}bogus: 1\n`
      const strict = await runWith({}, text, ['create', '-f', '-'])
      assert.equal(strict.code, 1)
      assert.match(strict.stderr, /strict decoding error: unknown field "bogus"/)
      const warned = await runWith({}, text, ['create', '--validate=warn', '-f', '-'])
      assert.equal(warned.code, 0, warned.stderr)
      assert.match(warned.stderr, /Warning: unknown field "bogus"/)
    })

    test('names who owns a field, and takes it by force', async () => {
      const text = configMap('first').replace('applied', 'contested')
      await runInput(text, 'apply', '--server-side', '--field-manager=one', '-f', '-')
      const other = text.replace('key: first', 'key: second')
      const conflict = await runWith({}, other, ['apply', '--server-side', '--field-manager=two', '-f', '-'])
      assert.equal(conflict.code, 1)
      assert.match(conflict.stderr, /Apply failed with 1 conflict: conflict with "one": \.data\.key/)
      assert.match(conflict.stderr, /--force-conflicts/)
      await runInput(other, 'apply', '--server-side', '--field-manager=two', '--force-conflicts', '-f', '-')
      assert.equal(await run('-n', 'workshop', 'get', 'cm', 'contested', '-o', 'jsonpath={.data.key}'), 'second')
    })

    test('replaces, and notices that it is late', async () => {
      const text = configMap('one').replace('applied', 'replaced')
      await runInput(text, 'create', '-f', '-')
      const read = await run('-n', 'workshop', 'get', 'cm', 'replaced', '-o', 'yaml')
      assert.match(await runInput(text.replace('key: one', 'key: two'), 'replace', '-f', '-'), /replaced/)
      const late = await runWith({}, read, ['replace', '-f', '-'])
      assert.match(late.stderr, /Error from server \(Conflict\).*the object has been modified/)
      assert.match(await runInput(read, 'replace', '--force', '-f', '-'), /replaced/)
    })

    test('applies with pruning and dry runs', async () => {
      const labelled = configMap('v').replace('name: applied', 'name: pruned, labels: {set: p}')
      await runInput(labelled, 'apply', '-f', '-')
      assert.match(await runInput(labelled.replace('pruned', 'dry'), 'apply', '--dry-run=server', '-f', '-'), /dry run/)
      const next = labelled.replace('pruned', 'kept')
      const pruned = await runInput(
        next,
        'apply',
        '--prune',
        '-l',
        'set=p',
        '--prune-allowlist=core/v1/ConfigMap',
        '-n',
        'workshop',
        '-f',
        '-',
      )
      assert.match(pruned, /kept created[\s\S]*pruned pruned/)
      assert.match(await runInput(next, 'delete', '-f', '-'), /"kept" deleted/)
    })

    test('deletes in each way', async () => {
      const create = async (name: string) => {
        await run('-n', 'workshop', 'create', 'configmap', name)
        return run('-n', 'workshop', 'get', 'cm', name, '-o', 'jsonpath={.metadata.uid}')
      }
      for (const cascade of ['background', 'foreground', 'orphan']) {
        await create(`way-${cascade}`)
        const wait = cascade === 'background'
        const args = ['-n', 'workshop', 'delete', 'cm', `way-${cascade}`, `--cascade=${cascade}`, `--wait=${wait}`]
        assert.match(await run(...args), /deleted/)
      }
      const held = await run('-n', 'workshop', 'get', 'cm', 'way-foreground', '-o', 'jsonpath={.metadata.finalizers}')
      assert.equal(held, '["foregroundDeletion"]')
      await create('many-1')
      await create('many-2')
      await run('-n', 'workshop', 'label', 'cm', 'many-1', 'many-2', 'many=yes')
      assert.match(
        await run('-n', 'workshop', 'delete', 'cm', '-l', 'many=yes'),
        /many-1" deleted[\s\S]*many-2" deleted/,
      )
      assert.match(
        (await runWith({}, undefined, ['-n', 'workshop', 'delete', 'cm', 'gone', '--ignore-not-found'])).stdout,
        /^$/,
      )
      assert.match(await run('-n', 'workshop', 'delete', 'secret', '--all'), /deleted|No resources/)
    })

    test('shows events and kinds', async () => {
      const event = `apiVersion: v1
kind: Event
metadata: {name: happened, namespace: workshop}
involvedObject: {kind: ConfigMap, name: applied, namespace: workshop}
reason: Tested
message: it happened
type: Normal
lastTimestamp: "2026-01-01T00:00:00Z"
`
      await runInput(event, 'create', '-f', '-')
      assert.match(await run('-n', 'workshop', 'get', 'events'), /Normal\s+Tested\s+configmap\/applied\s+it happened/)
      assert.match(
        await run('api-resources', '--api-group=apiextensions.k8s.io', '-o', 'name'),
        /customresourcedefinitions/,
      )
      assert.match(await run('explain', 'namespace', '--recursive'), /finalizers/)
    })

    test('acts for others', async () => {
      assert.match(await run('auth', 'can-i', '--list', '--as', 'jane', '--as-group', 'system:masters'), /\*\.\*/)
      assert.match(await run('auth', 'whoami', '--as', 'jane', '--as-group', 'dev', '-o', 'yaml'), /username: jane/)
      const denied = await runWith({}, undefined, ['-n', 'workshop', 'get', 'secrets', '--as', 'jane'])
      assert.match(denied.stderr, /^Error from server \(Forbidden\): secrets is forbidden: User "jane" cannot list/)
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
            status: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {size: {type: integer}}}
`
    const gadget = `apiVersion: example.com/v1
kind: Gadget
metadata: {name: g, namespace: workshop}
spec: {}
`

    test('uses a custom resource right after its definition', async () => {
      assert.match(await runInput(crd, 'apply', '-f', '-'), /created/)
      assert.match(
        await run('wait', '--for=condition=Established', 'crd/gadgets.example.com', '--timeout=10s'),
        /condition met/,
      )
      assert.match(await runInput(gadget, 'apply', '-f', '-'), /gadget\.example\.com\/g created/)
      assert.match(await run('-n', 'workshop', 'get', 'gg'), /NAME\s+SIZE\ng\s+3/)
      assert.match(await run('-n', 'workshop', 'scale', 'gadget', 'g', '--replicas=7'), /scaled/)
      assert.equal(await run('-n', 'workshop', 'get', 'gadget', 'g', '-o', 'jsonpath={.spec.size}'), '7')
      assert.match(await run('explain', 'gadget.spec.size'), /How large\./)
      const bad = await runWith({}, gadget.replace('spec: {}', 'spec: {sise: 1}'), ['apply', '-f', '-'])
      assert.match(bad.stderr, /unknown field "spec\.sise"/)
      const status = run('-n', 'workshop', 'wait', '--for=condition=Ready', 'gadget/g', '--timeout=20s')
      const condition = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
      await run('-n', 'workshop', 'patch', 'gadget', 'g', '--subresource=status', '--type=merge', '-p', condition)
      assert.match(await status, /condition met/)
      assert.match(await run('-n', 'workshop', 'describe', 'gadget', 'g'), /Kind:\s+Gadget[\s\S]*Size:\s+7/)
      assert.match(await run('-n', 'workshop', 'get', 'gadget', 'g', '--subresource=status', '-o', 'name'), /gadget/)
      assert.match(await run('explain', 'gadget', '--recursive'), /size\s+<integer>/)
      const watching = spawn(kubectl, ['-n', 'workshop', 'get', 'gadgets', '-w'], { env: environment() })
      const ended = once(watching, 'close')
      await once(watching.stdout, 'data')
      assert.match(await run('delete', 'crd', 'gadgets.example.com'), /deleted/)
      watching.kill()
      await ended
    })
  })
