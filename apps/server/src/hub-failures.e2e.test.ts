import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ApiError, configMaps, type HttpHandler, secrets } from '@orrery/api'
import { type Client, createClient } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'

/** A hub as a process of its own, and what it says when it cannot go on. */

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'orrery-failures-'))
const running = new Set<ChildProcess>()

after(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
})

interface Ended {
  readonly code: number | null
  readonly stderr: string
}

interface HubProcess {
  readonly child: ChildProcess
  readonly client: Client
  readonly handle: HttpHandler
  readonly ended: Promise<Ended>
  [Symbol.asyncDispose](): Promise<void>
}

function launch(data: string, args: readonly string[] = []) {
  const child = spawn(process.execPath, [MAIN, 'hub', '--data-dir', data, '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => {
      running.delete(child)
      resolve({ code, stderr })
    })
  })
  return { child, ended }
}

/** Starts a hub that is expected to serve. */
async function serve(data: string, args: readonly string[] = []): Promise<HubProcess> {
  const { child, ended } = launch(data, args)
  const ready = Promise.withResolvers<void>()
  if (child.stdout === null) throw new Error('the hub has no output')
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.includes('the API is served')) ready.resolve()
  })
  void ended.then(({ stderr }) => ready.reject(new Error(`the hub ended: ${stderr}`)))
  await ready.promise
  const transport = createNodeTransport(loadKubeconfig({ paths: [join(data, 'kubeconfig')] }), { clock: systemClock })
  return {
    child,
    handle: transport.handle,
    client: createClient({
      transport: transport.handle,
      clock: systemClock,
      random: systemRandom,
      userAgent: 'failures',
    }),
    ended,
    [Symbol.asyncDispose]: async () => {
      await transport[Symbol.asyncDispose]()
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Starts a hub that is expected to refuse: one paragraph for people, exit code 1, no stack. */
async function refused(data: string, args: readonly string[] = []): Promise<string> {
  const { code, stderr } = await launch(data, args).ended
  assert.equal(code, 1, stderr)
  assert.match(stderr, /^orrery: [^\n]+\n$/)
  assert.doesNotMatch(stderr, /^\s+at /m)
  return stderr
}

let copies = 0
/** A data directory with one Secret and some ConfigMaps, from a hub that ended cleanly. */
let template = ''
function newData(): string {
  const data = join(directory, `data-${copies++}`)
  cpSync(template, data, { recursive: true, preserveTimestamps: true })
  return data
}

before(async () => {
  template = join(directory, 'template')
  await using hub = await serve(template)
  await hub.client.create(secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'default' },
    stringData: { key: 'canary' },
  })
  for (let index = 0; index < 20; index++) await createMap(hub.client, `kept-${index}`, 'x'.repeat(200))
  hub.child.kill('SIGTERM')
  assert.equal((await hub.ended).code, 0)
})

const createMap = (client: Client, name: string, value: string) =>
  client.create(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default' },
    data: { value },
  })

suite('a hub refuses to start, and says why', () => {
  test('when its port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? String(address.port) : ''
    assert.match(await refused(newData(), ['--port', port]), new RegExp(`Port ${port} is in use`))
    server.close()
  })

  test('when another process has the data directory', async () => {
    const data = newData()
    await using _hub = await serve(data)
    assert.match(await refused(data), /Another process has the store open/)
  })

  test('when the store has a newer format', async () => {
    const data = newData()
    editStore(data, 'PRAGMA user_version = 99')
    assert.match(await refused(data), /format 99/)
  })

  for (const { name, at } of [
    { name: 'its head', at: 20 },
    { name: 'its schema', at: 110 },
  ])
    test(`when the store is damaged in ${name}`, async () => {
      const data = newData()
      const path = join(data, 'store.db')
      const bytes = readFileSync(path)
      bytes.fill(0xa5, at, at + 60)
      writeFileSync(path, bytes)
      assert.match(await refused(data), /store\.db|store file is damaged|lost its identity/)
    })

  test('when the store is no database', async () => {
    const data = newData()
    writeFileSync(join(data, 'store.db'), 'hello'.repeat(10_000))
    assert.match(await refused(data), /damaged/)
  })

  test('when a pointer of the store is damaged', async () => {
    const data = newData()
    editStore(data, `UPDATE current SET revision = 1 WHERE key LIKE '%kept-3'`)
    assert.match(await refused(data), /kept-3/)
  })

  test('when others may read its key', async () => {
    const data = newData()
    chmodSync(join(data, 'secrets.key'), 0o644)
    assert.match(await refused(data), /mode 644/)
  })

  test('when its key is missing although there are Secrets', async () => {
    const data = newData()
    rmSync(join(data, 'secrets.key'))
    assert.match(await refused(data), /secrets\.key is missing/)
    assert.equal(existsSync(join(data, 'secrets.key')), false)
  })

  test('when its key is damaged, without showing any of it', async () => {
    const data = newData()
    writeFileSync(join(data, 'secrets.key'), '{"keys":[{"id":"a","key":"c2VjcmV0"}]}', { mode: 0o600 })
    assert.doesNotMatch(await refused(data), /c2VjcmV0/)
  })

  test('when its certificates are damaged', async () => {
    const data = newData()
    writeFileSync(join(data, 'pki', 'ca.crt'), 'nonsense')
    assert.match(await refused(data), /ca\.crt and ca\.key/)
  })

  test('when others may read the key of its authority', async () => {
    const data = newData()
    chmodSync(join(data, 'pki', 'ca.key'), 0o640)
    assert.match(await refused(data), /mode 640/)
  })

  test('when its data directory cannot be made', async () => {
    const file = join(directory, 'a-file')
    writeFileSync(file, '')
    assert.match(await refused(join(file, 'data')), /--data-dir/)
  })

  for (const { name, text } of [
    { name: 'is malformed', text: 'token,user\nsecret-token user\n' },
    { name: 'holds a line without a user', text: 'secret-token,\n' },
  ])
    test(`when its token file ${name}, without showing a token`, async () => {
      const file = join(directory, 'tokens')
      writeFileSync(file, text)
      const said = await refused(newData(), ['--token-auth-file', file])
      assert.match(said, /line \d/)
      assert.doesNotMatch(said, /secret-token/)
    })

  test('when its token file is missing', async () => {
    assert.match(await refused(newData(), ['--token-auth-file', join(directory, 'none')]), /none/)
  })

  test('when this machine does not have its address', async () => {
    assert.match(await refused(newData(), ['--host', '192.0.2.1']), /--host/)
  })
})

function editStore(data: string, sql: string): void {
  const database = new DatabaseSync(join(data, 'store.db'))
  database.exec(sql)
  database.close()
}

suite('a hub goes on', () => {
  test('after SIGKILL, with everything that it acknowledged', async () => {
    const data = newData()
    const acknowledged: string[] = []
    {
      await using hub = await serve(data)
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let index = 0; ; index++) {
          const name = `w${writer}-${index}`
          try {
            await createMap(hub.client, name, 'v')
          } catch {
            // The process is gone: this one was not acknowledged.
            return
          }
          acknowledged.push(name)
          if (acknowledged.length === 200) hub.child.kill('SIGKILL')
        }
      })
      await Promise.all(writers)
    }
    await using hub = await serve(data)
    const { items } = await hub.client.listAll(configMaps, { namespace: 'default' })
    const names = new Set(items.map(({ metadata }) => metadata.name))
    assert.deepEqual(
      acknowledged.filter((name) => !names.has(name)),
      [],
    )
  })

  test('without one object that is damaged: it is named, and the others stay readable', async () => {
    const data = newData()
    editStore(data, `UPDATE log SET value = x'7b7d' WHERE key LIKE '%configmaps%kept-3'`)
    await using hub = await serve(data)
    assert.equal((await hub.client.get(configMaps, { namespace: 'default', name: 'kept-4' })).metadata.name, 'kept-4')
    await assert.rejects(hub.client.listAll(configMaps, { namespace: 'default' }), /kept-3/)
    const request = {
      method: 'DELETE',
      target: '/api/v1/namespaces/default/configmaps/kept-3',
      headers: {},
      signal: new AbortController().signal,
    }
    const ask = async (query: string) => (await hub.handle({ ...request, target: `${request.target}${query}` })).status
    assert.equal(await ask(''), 500)
    assert.equal(await ask('?ignoreStoreReadErrorWithClusterBreakingPotential=true'), 200)
    assert.equal((await hub.client.listAll(configMaps, { namespace: 'default' })).items.length, 19)
  })

  test('until SIGTERM: requests under way finish, watches end, the exit code is 0', async () => {
    await using hub = await serve(newData())
    const { client } = hub
    const watch = client.watch(configMaps, { namespace: 'default' })[Symbol.asyncIterator]()
    const watched = (async () => {
      while ((await watch.next()).done !== true);
    })().catch(() => undefined)
    let failed = 0
    let done = 0
    const load = Array.from({ length: 50 }, async (_, index) => {
      try {
        await createMap(client, `load-${index}`, 'v')
        done++
      } catch (error) {
        // Refused as a whole because the hub was already stopping, never half done.
        assert.ok(error instanceof Error)
        failed++
      }
    })
    hub.child.kill('SIGTERM')
    await Promise.all(load)
    assert.equal(done + failed, 50)
    const { code, stderr } = await hub.ended
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    await watched
  })
})

/** A small disk of its own: only root may make one. */
const isRoot = process.getuid?.() === 0 && process.platform === 'linux'
const noDisk = isRoot ? false : 'only root can mount a small disk: run as root, or in a container'

suite('on a full disk', { skip: noDisk }, () => {
  const disk = join(directory, 'disk')
  const data = join(disk, 'data')
  const ballast = join(disk, 'ballast')
  let mounted = false

  before(() => {
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=0700', 'orrery-test', disk])
    mounted = true
  })
  after(() => {
    if (mounted) execFileSync('umount', ['-l', disk])
  })

  /** Takes all the space that is left. */
  function fillDisk(): void {
    const file = openSync(ballast, 'a')
    try {
      for (let size = 1024 * 1024; size >= 4096; size /= 2) {
        try {
          for (;;) writeSync(file, Buffer.alloc(size, 1))
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
        }
      }
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  /** Creates until the store is full; the names that were acknowledged. */
  async function createUntilFull(client: Client, prefix: string): Promise<{ names: string[]; refusal: ApiError }> {
    const names: string[] = []
    for (;;) {
      const name = `${prefix}-${names.length}`
      try {
        await createMap(client, name, 'x'.repeat(100_000))
      } catch (error) {
        assert.ok(error instanceof ApiError)
        return { names, refusal: error }
      }
      names.push(name)
    }
  }

  const namesOf = async (client: Client) =>
    (await client.listAll(configMaps, { namespace: 'default' })).items.map(({ metadata }) => metadata.name)

  test('writes are refused, reads and deletes go on, and it recovers by itself', async () => {
    const kept: string[] = []
    {
      await using hub = await serve(data)
      const { client } = hub
      fillDisk()
      const { names, refusal } = await createUntilFull(client, 'first')
      assert.equal(refusal.code, 503)
      assert.equal(refusal.reason, 'StoreFull')
      assert.equal(refusal.details?.retryAfterSeconds, 1)
      kept.push(...names)
      assert.deepEqual(await namesOf(client), names.toSorted())
      const [gone = ''] = kept.splice(0, 1)
      await client.delete(configMaps, { namespace: 'default', name: gone })
      assert.deepEqual(await namesOf(client), kept.toSorted())
      hub.child.kill('SIGKILL')
    }
    {
      // The disk is as full as before, and with the space that was given back taken, too.
      fillDisk()
      await using hub = await serve(data)
      const { client } = hub
      assert.deepEqual(await namesOf(client), kept.toSorted())
      const { names, refusal } = await createUntilFull(client, 'second')
      assert.equal(refusal.reason, 'StoreFull')
      kept.push(...names)
      rmSync(ballast)
      await createMap(client, 'recovered', 'v')
      kept.push('recovered')
      hub.child.kill('SIGKILL')
    }
    await using hub = await serve(data)
    assert.deepEqual(await namesOf(hub.client), kept.toSorted())
  })

  test('a new hub that finds no space says so', async () => {
    fillDisk()
    assert.match(await refused(join(disk, 'new')), /no space|full/)
    rmSync(ballast)
  })
})
