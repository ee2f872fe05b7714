import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseJson } from '@orrery/api'
import { createClient } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import type { Fields } from './fields.ts'
import { fieldsOf, listOf } from './fields.ts'
import { allWell, condition, installProvider, NAMESPACE, put } from './world.test-support.ts'

/** The program as its readers start it, against a hub that it started itself, and against a real kube-apiserver. */

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const PEER = fileURLToPath(new URL('../../../tools/peers/kube-apiserver.ts', import.meta.url))

const root = mkdtempSync(path.join(tmpdir(), 'orrery-cli-e2e-'))
const dataDirectory = path.join(root, '.orrery')
after(() => rmSync(root, { recursive: true, force: true }))

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the program in an empty folder, with nothing of this machine's kubeconfigs. */
function run(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>()
  const env = { PATH: process.env['PATH'], HOME: root, ...environment }
  const child = execFile(process.execPath, [MAIN, ...args], { cwd: root, env }, (_error, out, err) =>
    resolve({ code: child.exitCode, out, err }),
  )
  return promise
}

const documentOf = ({ out }: Ran): Fields => fieldsOf(parseJson(out).value)
const resultsOf = (ran: Ran) =>
  Object.fromEntries(
    listOf(documentOf(ran)['checks']).map((each) => [fieldsOf(each)['check'], fieldsOf(each)['result']]),
  )

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

async function useProvider(kubeconfig: string): Promise<void> {
  await using transport = createNodeTransport(loadKubeconfig({ paths: [kubeconfig] }), { clock: systemClock })
  const client = createClient({
    transport: transport.handle,
    clock: systemClock,
    random: systemRandom,
    userAgent: 'cli-test/1',
  })
  await installProvider(client)
  const failed = [condition('Ready', 'False', 'StartFailed'), condition('Synced', 'False', 'StartFailed', 'no room')]
  await put(client, { kind: 'Instance', name: 'srv', status: { conditions: failed } })
  const waiting = [condition('Ready', 'False', 'Waiting', 'Instance srv is not ready.')]
  await put(client, {
    kind: 'ProviderConfig',
    name: 'cfg',
    spec: { instanceRef: { name: 'srv' } },
    status: { conditions: waiting },
  })
  const spec = { providerConfigRef: { name: 'cfg' } }
  await put(client, { kind: 'Shelf', name: 'orders', spec, status: { conditions: waiting } })
  await put(client, { kind: 'Role', name: 'boss', spec, status: { conditions: allWell } })
}

/** What holds on any server with the provider's kinds. */
function commandsWork(environment: () => Readonly<Record<string, string>>): void {
  test('status shows every object, with the group where the kind is also one of Kubernetes', async () => {
    const ran = await run(['status', '-o', 'json'], environment())
    assert.deepEqual([ran.code, ran.err], [2, ''])
    const objects = listOf(documentOf(ran)['objects']).map((each) => fieldsOf(each)['object'])
    assert.deepEqual(objects, ['instance/srv', 'providerconfig/cfg', 'shelf/orders', 'role.library.orrery.dev/boss'])
  })

  test('why finds the root cause', async () => {
    const ran = await run(['why', 'sh/orders', '-n', NAMESPACE, '-o', 'json'], environment())
    const chain = listOf(documentOf(ran)['chain']).map((each) => fieldsOf(each)['object'])
    assert.deepEqual(chain, ['shelf/orders', 'providerconfig/cfg', 'instance/srv'])
    const changed = fieldsOf(documentOf(ran)['changed'])
    assert.match(String(changed['text']), /cli-test/)
  })

  test('tree stands on the instance', async () => {
    const ran = await run(['tree', 'shelf/orders', '-n', NAMESPACE], environment())
    assert.equal(ran.code, 2)
    assert.match(ran.out, /instance\/srv.*\n.*providerconfig\/cfg.*\n.*shelf\/orders/)
  })
}

suite('with a hub that the program started', () => {
  let hub: ChildProcess
  before(async () => {
    hub = spawn(process.execPath, [MAIN, 'hub', '--data-dir', dataDirectory, '--port', '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines = hub.stdout
    assert.ok(lines !== null)
    for await (const line of createInterface({ input: lines })) if (line.includes('the API is served')) break
    lines.resume()
    await useProvider(path.join(dataDirectory, 'kubeconfig'))
  })
  after(async () => {
    hub.kill('SIGKILL')
    await ended(hub)
  })

  test('the local kubeconfig is used without being named', async () => {
    assert.ok(existsSync(path.join(dataDirectory, 'kubeconfig')))
    const ran = await run(['version', '-o', 'json'])
    assert.equal(ran.code, 0)
    assert.match(String(fieldsOf(documentOf(ran)['server'])['version']), /\+orrery/)
  })

  commandsWork(() => ({}))

  test('doctor checks certificates, clock, and the data directory, and misses the manager', async () => {
    const ran = await run(['doctor', '-o', 'json'])
    assert.equal(ran.code, 1)
    const results = resultsOf(ran)
    for (const check of [
      'node',
      'kubeconfig',
      'file modes',
      'connection',
      'clock',
      'certificates',
      'versions',
      'definitions',
      'permissions',
    ])
      assert.equal(results[check], 'ok', check)
    assert.equal(results['manager'], 'fail')
    assert.equal(results['objects'], 'warn')
  })

  test('a reader that leaves early is no error', async () => {
    const child = spawn(process.execPath, [MAIN, 'completion', 'bash'], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.destroy()
    assert.equal(await ended(child), 0)
  })

  test('a signal reaches the hub, whose exit code is passed on', async () => {
    hub.kill('SIGTERM')
    assert.equal(await ended(hub), 0)
    const ran = await run(['status', '-o', 'json'])
    assert.equal(ran.code, 1)
    assert.equal(fieldsOf(documentOf(ran)['error'])['code'], 'Unreachable')
  })

  test('without a server doctor still checks what is local', async () => {
    const ran = await run(['doctor', '-o', 'json'])
    assert.equal(ran.code, 1)
    assert.deepEqual([resultsOf(ran)['connection'], resultsOf(ran)['file modes']], ['fail', 'ok'])
  })

  test("an error of the server's command line keeps its exit code", async () => {
    assert.equal((await run(['hub', '--port', 'x'])).code, 1)
  })
})

suite('with a real kube-apiserver', async () => {
  const peer = spawn(process.execPath, [PEER], { stdio: ['ignore', 'pipe', 'inherit'] })
  after(async () => {
    peer.kill('SIGTERM')
    await ended(peer)
  })
  let kubeconfig: string | undefined
  for await (const line of createInterface({ input: peer.stdout })) {
    kubeconfig = /^export KUBECONFIG=(.+)$/.exec(line)?.[1]
    if (line.startsWith('[skip]')) process.stdout.write(`${line}\n`)
    if (kubeconfig !== undefined || line.startsWith('[skip]')) break
  }
  if (kubeconfig === undefined) return
  const environment = { KUBECONFIG: kubeconfig }
  await useProvider(kubeconfig)

  commandsWork(() => environment)

  test('doctor knows a Kubernetes that is no hub', async () => {
    const results = resultsOf(await run(['doctor', '-o', 'json'], environment))
    for (const check of ['connection', 'clock', 'versions', 'definitions', 'permissions'])
      assert.equal(results[check], 'ok', check)
    assert.equal(results['manager'], 'fail')
  })
})
