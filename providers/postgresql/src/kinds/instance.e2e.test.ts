import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:net'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { ManagedObject } from '@orrery/provider'
import type { ManagedWorld } from '@orrery/testing/postgres'
import { conditionOf, eventually, runSql, startWorld } from '@orrery/testing/postgres'
import { chooseFreePort } from '../node/local-servers.ts'

suite('Instance', () => {
  let world: ManagedWorld

  before(async () => {
    world = await startWorld()
  })
  after(async () => {
    await world[Symbol.asyncDispose]()
  })

  const spec = (name: string) => ({ writeConnectionSecretToRef: { name: `${name}-admin` } })
  const sql = async (name: string, text: string, database?: string) => {
    const values = (await world.secret(`${name}-admin`)) ?? {}
    const { host = '', port = '', username = '', password = '' } = values
    const target = { host, port: Number(port), username, password, database: database ?? values['database'] ?? '' }
    return await runSql(target, text)
  }
  const setting = async (name: string, parameter: string) => {
    const [row] = await sql(name, `SELECT current_setting('${parameter}') AS value`)
    return row?.['value']
  }
  const dataOf = (object: ManagedObject) => String(object.status?.atProvider?.['dataDirectory'])
  const pidOf = (object: ManagedObject) =>
    Number(readFileSync(join(dataOf(object), 'postmaster.pid'), 'utf8').split('\n')[0])

  test('a server runs as nobody of consequence, listens on this machine alone, and its Secret logs in', async () => {
    await world.apply('Instance', { name: 'plain', spec: spec('plain') })
    const object = await world.ready('Instance', 'plain')
    assert.equal(await setting('plain', 'listen_addresses'), '127.0.0.1')
    const owner = statSync(`/proc/${pidOf(object)}`).uid
    if (process.getuid?.() === 0) assert.notEqual(owner, 0)
    else assert.equal(owner, process.getuid?.())
    assert.equal(statSync(dataOf(object)).mode & 0o777, 0o700)
  })

  test('parameters and the memory class follow the spec, with a restart where one is needed', async () => {
    await world.apply('Instance', {
      name: 'plain',
      spec: spec('plain'),
      forProvider: { parameters: { work_mem: '7MB' } },
    })
    const earlier = pidOf(await world.ready('Instance', 'plain'))
    await eventually(async () => assert.equal(await setting('plain', 'work_mem'), '7MB'))
    assert.equal(pidOf(await world.get('Instance', 'plain')), earlier)
    await world.apply('Instance', {
      name: 'plain',
      spec: spec('plain'),
      forProvider: { memory: 'medium', parameters: { max_connections: '37' } },
    })
    await eventually(async () => {
      assert.equal(await setting('plain', 'shared_buffers'), '256MB')
      assert.equal(await setting('plain', 'max_connections'), '37')
    })
    assert.notEqual(pidOf(await world.ready('Instance', 'plain')), earlier)
  })

  test('a parameter that the server refuses is told in its words, and mended by the next spec', async () => {
    await world.apply('Instance', {
      name: 'plain',
      spec: spec('plain'),
      forProvider: { parameters: { shared_buffers: 'plenty' } },
    })
    const refused = await world.until(
      'Instance',
      'plain',
      (each) => conditionOf(each, 'Synced')?.reason === 'StartFailed',
    )
    assert.match(conditionOf(refused, 'Synced')?.message ?? '', /shared_buffers/)
    assert.notEqual(conditionOf(refused, 'Ready')?.status, 'True')
    await world.apply('Instance', { name: 'plain', spec: spec('plain'), forProvider: {} })
    await world.ready('Instance', 'plain')
    await eventually(async () => assert.equal(await setting('plain', 'shared_buffers'), '32MB'))
  })

  test('what the instance itself decides cannot be given as a parameter', async () => {
    await world.apply('Instance', {
      name: 'plain',
      spec: spec('plain'),
      forProvider: { parameters: { listen_addresses: '*' } },
    })
    await world.until('Instance', 'plain', (each) => conditionOf(each, 'Synced')?.reason === 'ReservedParameter')
    await world.apply('Instance', { name: 'plain', spec: spec('plain') })
    await world.ready('Instance', 'plain')
  })

  test('a killed server is started again', async () => {
    const object = await world.ready('Instance', 'plain')
    const killed = pidOf(object)
    process.kill(killed, 'SIGKILL')
    await world.nudge('Instance', 'plain')
    await eventually(async () => {
      assert.notEqual(pidOf(object), killed)
      await sql('plain', 'SELECT 1')
    })
    await world.ready('Instance', 'plain')
  })

  test('a manager that starts again finds the running server by its pid file', async () => {
    const pid = pidOf(await world.ready('Instance', 'plain'))
    await world.restartManager()
    await world.nudge('Instance', 'plain')
    await world.ready('Instance', 'plain')
    assert.equal(pidOf(await world.get('Instance', 'plain')), pid)
  })

  test('the port moves, and the Secret with it', async () => {
    const port = await chooseFreePort()
    await world.apply('Instance', { name: 'plain', spec: spec('plain'), forProvider: { port } })
    await eventually(async () => {
      assert.equal((await world.secret('plain-admin'))?.['port'], String(port))
      await sql('plain', 'SELECT 1')
    })
    await world.ready('Instance', 'plain')
  })

  test('a taken port is told, and the server starts once it is free', async () => {
    const taken = await listenSomewhere()
    await world.apply('Instance', { name: 'crowded', spec: spec('crowded'), forProvider: { port: taken.port } })
    await world.until('Instance', 'crowded', (each) => conditionOf(each, 'Synced')?.reason === 'PortTaken')
    taken.server.close()
    await world.ready('Instance', 'crowded')
    await world.delete('Instance', 'crowded')
    await world.gone('Instance', 'crowded')
  })

  test('a server with databases is not removed, and is with forceDestroy; nothing of it stays', async () => {
    await world.apply('Instance', { name: 'full', spec: spec('full') })
    const object = await world.ready('Instance', 'full')
    await sql('full', 'CREATE DATABASE precious')
    await world.delete('Instance', 'full')
    await world.until('Instance', 'full', (each) => each.status?.plan?.reason === 'NotEmpty')
    await sql('full', 'SELECT 1', 'precious')
    const pid = pidOf(object)
    await world.apply('Instance', { name: 'full', spec: { ...spec('full'), forceDestroy: true } })
    await world.gone('Instance', 'full')
    assert.throws(() => process.kill(pid, 0))
    const root = dirname(dirname(dataOf(object)))
    assert.deepEqual(
      readdirSync(root).filter((name) => name.startsWith('test.full')),
      [],
    )
  })

  test('what a crash left half made is cleared away and never taken for a server', async () => {
    const plain = await world.ready('Instance', 'plain')
    const root = dirname(dirname(dataOf(plain)))
    await mkdir(join(root, 'test.crashed.new-b7e2', 'data'), { recursive: true })
    await writeFile(join(root, 'test.crashed.new-b7e2', 'data', 'PG_VERSION'), '18\n')
    await mkdir(join(root, 'test.crashed.deleted-a1', 'data'), { recursive: true })
    await world.apply('Instance', { name: 'crashed', spec: spec('crashed') })
    await world.ready('Instance', 'crashed')
    assert.deepEqual(
      readdirSync(root).filter((name) => name.startsWith('test.crashed')),
      ['test.crashed'],
    )
    await world.delete('Instance', 'crashed')
    await world.gone('Instance', 'crashed')
  })

  test('a version that is not packaged is refused in words', async () => {
    await world.apply('Instance', { name: 'old', forProvider: { version: '9' } })
    await world.until('Instance', 'old', (each) => conditionOf(each, 'Synced')?.reason === 'VersionNotPackaged')
    await world.delete('Instance', 'old')
    await world.gone('Instance', 'old')
  })

  test('a name that would leave the folder of servers is refused', async () => {
    await world.apply('Instance', { name: 'escape', annotations: { 'orrery.dev/external-name': '../escape' } })
    await world.until('Instance', 'escape', (each) => conditionOf(each, 'Synced')?.reason === 'InvalidExternalName')
    await world.delete('Instance', 'escape')
    await world.gone('Instance', 'escape')
  })

  test('an instance that runs on another machine is neither made anew nor judged here', async () => {
    await world.apply('Instance', { name: 'elsewhere', spec: spec('elsewhere') })
    const object = await world.ready('Instance', 'elsewhere')
    const folder = dirname(dataOf(object))
    await world.servers.stop('test.elsewhere', AbortSignal.timeout(30_000))
    await rm(folder, { recursive: true })
    const atProvider = { ...object.status?.atProvider, machine: 'another machine' }
    const current = await world.get('Instance', 'elsewhere')
    await world.client.updateStatus(world.kind('Instance'), { ...current, status: { ...current.status, atProvider } })
    await world.nudge('Instance', 'elsewhere')
    await world.until('Instance', 'elsewhere', (each) => conditionOf(each, 'Ready')?.reason === 'OtherHost')
  })

  test('a lost data directory is reported, not replaced by an empty server', async () => {
    await world.apply('Instance', { name: 'lost', spec: spec('lost') })
    const object = await world.ready('Instance', 'lost')
    await world.servers.stop('test.lost', AbortSignal.timeout(30_000))
    await rm(dirname(dataOf(object)), { recursive: true })
    await world.nudge('Instance', 'lost')
    await world.until('Instance', 'lost', (each) => conditionOf(each, 'Ready')?.reason === 'ExternalMissing')
    await world.delete('Instance', 'lost')
    await world.gone('Instance', 'lost')
  })

  test('no password of a server is readable by others on the machine', async () => {
    const object = await world.ready('Instance', 'plain')
    const password = (await world.secret('plain-admin'))?.['password'] ?? ''
    assert.doesNotMatch(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }), new RegExp(password))
    assert.doesNotMatch(readFileSync(join(dirname(dataOf(object)), 'server.log'), 'utf8'), new RegExp(password))
  })
})

async function listenSomewhere(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve())
  })
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
}
