import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Secret } from '@orrery/api'
import { keyOf, namespaces, parseYamlDocuments, secrets } from '@orrery/api'
import type { Client } from '@orrery/client'
import { createClient, discover, kindOf } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import type { ManagedObject } from '@orrery/provider'
import { chooseFreePort } from '@orrery/provider-postgresql'
import type { SqlTarget } from '@orrery/testing/postgres'
import { eventually, isSettled, runSql } from '@orrery/testing/postgres'
import { peerKubeconfig } from './campaign/peer.test-support.ts'
import { KINDS } from './campaign/workload.test-support.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const EXAMPLE = fileURLToPath(new URL('../../../examples/quickstart/quickstart.yaml', import.meta.url))
const MANAGED = ['Instance', 'Role', 'Database', 'Grant'] as const
const NAMESPACE = 'quickstart'

/** One run of `main.ts`, with what it prints. */
class Run {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  output = ''

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
      })
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code) => resolve(code))
    })
  }

  async says(text: string): Promise<void> {
    await eventually(() => {
      assert.ok(this.output.includes(text), `it said:\n${this.output}`)
      return Promise.resolve()
    })
  }

  async ends(): Promise<number | null> {
    return await this.#ended
  }

  async interrupt(): Promise<number | null> {
    this.#child.kill('SIGINT')
    return await this.#ended
  }
}

const interrupt = async (run: Run) => void (await run.interrupt())

function connect(kubeconfig: string, stack: AsyncDisposableStack): Client {
  const transport = stack.use(createNodeTransport(loadKubeconfig({ paths: [kubeconfig] }), { clock: systemClock }))
  return createClient({ transport: transport.handle, clock: systemClock, random: systemRandom, userAgent: 'test' })
}

async function loginOf(client: Client, name: string): Promise<SqlTarget> {
  const secret: Secret = await client.get(secrets, { namespace: NAMESPACE, name })
  const value = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString()
  assert.deepEqual(Object.keys(secret.data ?? {}).toSorted(), [
    'database',
    'host',
    'password',
    'port',
    'uri',
    'username',
  ])
  return {
    host: value('host'),
    port: Number(value('port')),
    database: value('database'),
    username: value('username'),
    password: value('password'),
  }
}

async function managedObjects(client: Client): Promise<readonly ManagedObject[]> {
  const lists = await Promise.all(
    MANAGED.map(async (kind) => await client.listAll(KINDS[kind], { namespace: NAMESPACE })),
  )
  return lists.flatMap(({ items }) => items)
}

async function allReady(client: Client): Promise<void> {
  await eventually(async () => {
    const objects = await managedObjects(client)
    assert.equal(objects.length, 4)
    assert.ok(objects.every(isSettled))
  })
}

/** What the server would tell about any change: transactions count what is written, oids what is made anew. */
async function serverState(superuser: SqlTarget): Promise<unknown> {
  const databases = await runSql(
    superuser,
    'SELECT oid, datname, datdba, datacl::text, datconnlimit FROM pg_database ORDER BY oid',
  )
  const roles = await runSql(superuser, 'SELECT oid, rolname, rolconnlimit, rolpassword FROM pg_authid ORDER BY oid')
  const comments = await runSql(superuser, 'SELECT xmin, objoid, description FROM pg_shdescription ORDER BY objoid')
  return { databases, roles, comments }
}

/** Drift by hand is undone, for each kind of the example. */
async function healsDrift(client: Client, superuser: SqlTarget): Promise<void> {
  await runSql(superuser, 'ALTER ROLE app CONNECTION LIMIT 3')
  await runSql(superuser, 'REVOKE TEMPORARY ON DATABASE app FROM app')
  await runSql(superuser, 'ALTER DATABASE app OWNER TO postgres')
  const body = { metadata: { annotations: { 'orrery.dev/reconcile-at': 'now' } } }
  for (const object of await managedObjects(client)) {
    const kind = MANAGED.find((name) => name === object.kind) ?? 'Role'
    await client.patch(KINDS[kind], keyOf(object), { type: 'merge', body })
  }
  await eventually(async () => {
    const [row] = await runSql(
      superuser,
      `SELECT rolconnlimit AS "limit", pg_get_userbyid(datdba)::text AS owner, datacl::text ~ 'app=[A-Z]*[CT]' AS granted
         FROM pg_roles, pg_database WHERE rolname = 'app' AND datname = 'app'`,
    )
    assert.deepEqual(row, { limit: 50, owner: 'app', granted: true })
  })
}

async function deletesNamespace(client: Client): Promise<void> {
  await client.delete(namespaces, { name: NAMESPACE })
  await eventually(async () => assert.equal(await client.find(namespaces, { name: NAMESPACE }), undefined))
}

function isManaged(value: unknown): value is ManagedObject {
  return typeof value === 'object' && value !== null && 'kind' in value && 'apiVersion' in value && 'metadata' in value
}

/** Folders of servers that belong to an API server. */
function serversOf(data: string, hub: string): readonly string[] {
  const root = process.getuid?.() === 0 ? join('/var/lib/orrery', hub, 'postgresql') : join(data, 'postgresql')
  return existsSync(root) ? readdirSync(root).filter((name) => name !== 'host-id' && !name.startsWith('server-')) : []
}

async function removeServers(hub: string): Promise<void> {
  if (process.getuid?.() === 0) await rm(join('/var/lib/orrery', hub), { recursive: true, force: true })
}

async function hubOf(client: Client): Promise<string> {
  return (await client.get(namespaces, { name: 'kube-system' })).metadata.uid ?? ''
}

suite('npm start', () => {
  let data = ''
  let port = ''
  before(async () => {
    data = await mkdtemp(join(tmpdir(), 'orrery start-'))
    port = String(await chooseFreePort())
  })
  after(async () => {
    await rm(data, { recursive: true, force: true })
  })
  const start = () => new Run(['up', '--data-dir', data, '--port', port, '--plain'])

  test('a new data directory becomes a database; the next start changes nothing; deletion leaves nothing', async () => {
    await using stack = new AsyncDisposableStack()
    const first = stack.adopt(start(), interrupt)
    await first.says('Running.')
    const kubeconfig = join(data, 'kubeconfig')
    let client = connect(kubeconfig, stack)
    const hub = await hubOf(client)
    await allReady(client)
    const login = await loginOf(client, 'app-connection')
    assert.deepEqual(await runSql(login, 'SELECT current_user::text AS me, current_database()::text AS here'), [
      { me: 'app', here: 'app' },
    ])
    const superuser = await loginOf(client, 'pg-admin')
    const versions = (await managedObjects(client)).map(({ metadata }) => metadata.resourceVersion)
    const state = await serverState(superuser)

    // A second copy beside it says what to do and touches nothing.
    const sameDirectory = new Run(['up', '--data-dir', data, '--port', String(await chooseFreePort()), '--plain'])
    assert.equal(await sameDirectory.ends(), 1)
    assert.match(sameDirectory.output, /--data-dir/)
    const other = await mkdtemp(join(tmpdir(), 'orrery-second-'))
    const samePort = new Run(['up', '--data-dir', other, '--port', port, '--plain'])
    assert.equal(await samePort.ends(), 1)
    assert.match(samePort.output, /--port/)
    await rm(other, { recursive: true })

    assert.equal(await first.interrupt(), 0)
    await assert.rejects(runSql(superuser, 'SELECT 1'))
    const second = stack.adopt(start(), interrupt)
    await second.says('Running.')
    client = connect(kubeconfig, stack)
    await allReady(client)
    assert.deepEqual(await serverState(superuser), state)
    const now = await managedObjects(client)
    const unchanged = now.filter(
      ({ kind, metadata }) => kind !== 'Instance' && versions.includes(metadata.resourceVersion),
    )
    assert.equal(unchanged.length, 3, JSON.stringify(now.map(({ kind, status }) => [kind, status?.conditions])))

    await healsDrift(client, superuser)
    await allReady(client)
    await deletesNamespace(client)
    assert.deepEqual(serversOf(data, hub), [])
    assert.equal(await second.interrupt(), 0)
    await removeServers(hub)
    assert.doesNotMatch(readFileSync(join(data, 'logs', 'manager.log'), 'utf8'), new RegExp(login.password))
  })
})

test('the same manager and example work on a real Kubernetes', async (context) => {
  await using peer = await peerKubeconfig()
  if ('skip' in peer) {
    console.log(peer.skip)
    context.skip(peer.skip)
    return
  }
  const data = await mkdtemp(join(tmpdir(), 'orrery-manager-'))
  await using stack = new AsyncDisposableStack()
  const args = ['manager', '--kubeconfig', peer.kubeconfig, '--data-dir', data, '--stop-servers']
  const manager = stack.adopt(new Run(args), interrupt)
  const client = connect(peer.kubeconfig, stack)
  const hub = await hubOf(client)
  await eventually(async () => {
    const { resources } = await discover(client)
    const served = new Set(resources.map(({ kind }) => kind))
    for (const kind of ['Instance', 'ProviderConfig', 'Role', 'Database', 'Grant']) assert.ok(served.has(kind), kind)
  })
  const { resources } = await discover(client)
  for (const document of parseYamlDocuments(readFileSync(EXAMPLE, 'utf8'))) {
    const object: unknown = document
    assert.ok(isManaged(object))
    const kind = resources.find((each) => each.kind === object.kind && object.apiVersion.startsWith(each.group))
    assert.ok(kind !== undefined, object.kind)
    await client.apply(kindOf(kind), object, { fieldManager: 'test' })
  }
  await allReady(client)
  const superuser = await loginOf(client, 'pg-admin')
  const login = await loginOf(client, 'app-connection')
  assert.deepEqual(await runSql(login, 'SELECT current_user::text AS me'), [{ me: 'app' }])
  await healsDrift(client, superuser)
  await deletesNamespace(client)
  assert.deepEqual(serversOf(data, hub), [])
  assert.equal(await manager.interrupt(), 0)
  await removeServers(hub)
  await rm(data, { recursive: true, force: true })
})
