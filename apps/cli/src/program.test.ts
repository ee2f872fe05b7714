import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { namespaces, parseJson, parseYaml } from '@orrery/api'
import type { Fields } from './fields.ts'
import { fieldsOf, listOf, textOf } from './fields.ts'
import type { Ran, World } from './world.test-support.ts'
import { allWell, condition, createWorld, NAMESPACE } from './world.test-support.ts'

/** The commands against a hub in this process. */

const SECRET = 'correct-horse-battery-staple'
const waiting = (message: string) => [
  condition('Ready', 'False', 'Waiting', message),
  condition('Synced', 'Unknown', 'Waiting', message),
]
const cfg = { providerConfigRef: { name: 'cfg' } }
const failed = condition('Synced', 'False', 'StartFailed', 'port 5432\u001b[31m is taken')

let world: World
before(async () => {
  world = await createWorld()
  await world.put({
    kind: 'Instance',
    name: 'srv',
    spec: { writeConnectionSecretToRef: { name: 'srv-admin' } },
    status: { conditions: [condition('Ready', 'False', 'StartFailed'), failed] },
  })
  await world.put({
    kind: 'ProviderConfig',
    name: 'cfg',
    spec: { instanceRef: { name: 'srv' } },
    status: { conditions: waiting('Instance srv is not ready.') },
  })
  await world.put({
    kind: 'ProviderConfig',
    name: 'far',
    spec: { credentialsSecretRef: { name: 'far-login' } },
    status: { conditions: waiting('Secret far-login of ProviderConfig far does not exist.') },
  })
  await world.put({
    kind: 'ProviderConfig',
    name: 'made',
    spec: { credentialsSecretRef: { name: 'srv-admin' } },
    status: { conditions: waiting('Secret srv-admin of ProviderConfig made does not exist.') },
  })
  await world.put({
    kind: 'Shelf',
    name: 'orders',
    spec: { ...cfg, forProvider: { ownerRef: { name: 'boss' } } },
    status: { conditions: waiting('Instance srv is not ready.') },
  })
  await world.put({
    kind: 'Shelf',
    name: 'remote',
    spec: { providerConfigRef: { name: 'far' } },
    status: { conditions: waiting('Secret far-login of ProviderConfig far does not exist.') },
  })
  await world.put({
    kind: 'Shelf',
    name: 'second',
    spec: { providerConfigRef: { name: 'made' } },
    status: { conditions: waiting('Secret srv-admin of ProviderConfig made does not exist.') },
  })
  await world.put({
    kind: 'Shelf',
    name: 'well',
    spec: cfg,
    status: {
      conditions: allWell,
      external: { name: 'well-outside', ownership: 'Created', since: '2026-01-02T03:04:05Z' },
    },
  })
  await world.put({
    kind: 'Shelf',
    name: 'kept',
    spec: cfg,
    status: {
      conditions: [
        condition('Ready', 'True', 'Available'),
        condition('Synced', 'False', 'ReplaceRefused'),
        condition('UpToDate', 'False', 'ReplaceRefused', 'tags cannot be changed in place'),
      ],
    },
  })
  await world.put({
    kind: 'Shelf',
    name: 'drifted',
    spec: cfg,
    status: {
      conditions: [
        condition('Ready', 'True', 'Available'),
        condition('Synced', 'True', 'ReconcileSuccess'),
        condition('UpToDate', 'False', 'DriftReported', 'Changed outside.'),
      ],
      drift: [{ path: 'owner', desired: 'boss', actual: 'mallory', since: '2026-01-02T03:04:05Z' }],
    },
  })
  await world.put({ kind: 'Shelf', name: 'fresh', spec: cfg })
  await world.put({
    kind: 'Shelf',
    name: 'going',
    spec: cfg,
    finalizers: ['orrery.dev/managed', 'orrery.dev/in-use'],
    status: { conditions: allWell },
  })
  await world.put({
    kind: 'Book',
    name: 'reader',
    spec: { ...cfg, forProvider: { shelfRef: { name: 'going' } } },
    status: { conditions: allWell },
  })
  await world.put({
    kind: 'Role',
    name: 'boss',
    spec: { ...cfg, forProvider: { passwordSecretRef: { name: 'boss-login' } } },
    status: { conditions: allWell },
  })
  await world.delete({ kind: 'Shelf', name: 'going' })
  await world.putSecret('boss-login', SECRET)
})
after(async () => await world[Symbol.asyncDispose]())

const documentOf = ({ out }: Ran): Fields => fieldsOf(parseJson(out).value)
const objectsOf = (ran: Ran) => listOf(documentOf(ran)['objects']).map(fieldsOf)

test('status lists every kind, trouble first, and exits with 2 while something is not as declared', async () => {
  const ran = await world.run('status', '-o', 'json')
  assert.equal(ran.code, 2)
  const states = objectsOf(ran).map(({ state }) => state)
  assert.equal(states.at(0), 'failed')
  assert.equal(states.at(-1), 'ready')
  assert.equal(states.length, 14)
  assert.equal(documentOf(ran)['formatVersion'], '1')
})

test('status filters by kind in any spelling, and by namespace', async () => {
  for (const kind of ['shelf', 'Shelves', 'sh', 'shelf.library.orrery.dev']) {
    const objects = objectsOf(await world.run('status', '--kind', kind, '-o', 'json'))
    assert.equal(objects.length, 8)
    assert.ok(objects.every((object) => object['kind'] === 'Shelf'))
  }
  const elsewhere = await world.run('status', '-n', 'elsewhere', '-o', 'json')
  assert.deepEqual([elsewhere.code, objectsOf(elsewhere).length], [0, 0])
})

test('a kind that shares its name with one of Kubernetes is shown with its group', async () => {
  const [role] = objectsOf(await world.run('status', '--kind', 'shrole', '-o', 'json'))
  assert.equal(role?.['object'], 'role.library.orrery.dev/boss')
})

test('--exit-zero turns 2 into 0, and nothing else', async () => {
  assert.equal((await world.run('status', '--exit-zero')).code, 0)
  assert.equal((await world.run('why', 'shelf/kept', '--exit-zero')).code, 3)
  assert.equal((await world.run('why', 'shelf/missing', '--exit-zero')).code, 1)
})

test('yaml and json say the same', async () => {
  const json = documentOf(await world.run('why', 'shelf/orders', '-o', 'json'))
  const yaml = fieldsOf(parseYaml((await world.run('why', 'shelf/orders', '-o', 'yaml')).out).value)
  assert.deepEqual(yaml, JSON.parse(JSON.stringify(json)))
})

for (const { name, object, root, found, code } of [
  { name: 'through config and instance', object: 'shelf/orders', root: 'instance/srv', found: 'present', code: 2 },
  { name: 'to a Secret that nobody wrote', object: 'shelf/remote', root: 'secret/far-login', found: 'absent', code: 2 },
  {
    name: 'to the object that would write a Secret',
    object: 'shelf/second',
    root: 'instance/srv',
    found: 'present',
    code: 2,
  },
  {
    name: 'to who still uses what is being deleted',
    object: 'shelf/going',
    root: 'book/reader',
    found: 'present',
    code: 2,
  },
  {
    name: 'no further than an object that is well',
    object: 'shelf/well',
    root: 'shelf/well',
    found: 'present',
    code: 0,
  },
  {
    name: 'no further than a change that is denied',
    object: 'shelf/kept',
    root: 'shelf/kept',
    found: 'present',
    code: 3,
  },
  {
    name: 'no further than drift that is reported',
    object: 'shelf/drifted',
    root: 'shelf/drifted',
    found: 'present',
    code: 2,
  },
]) {
  test(`why leads ${name}`, async () => {
    const ran = await world.run('why', object, '-o', 'json')
    assert.equal(ran.code, code)
    const last = fieldsOf(listOf(documentOf(ran)['chain']).at(-1))
    assert.deepEqual([last['object'], last['found']], [root, found])
    assert.ok(textOf(documentOf(ran)['next']) !== undefined)
  })
}

test('a failed call is followed to what it refers to only when that is not there', async () => {
  await using other = await createWorld()
  await other.put({ kind: 'ProviderConfig', name: 'default', status: { conditions: allWell } })
  const broken = [condition('Ready', 'False', 'Refused'), condition('Synced', 'False', 'Refused', 'no')]
  const lost = [
    condition('Ready', 'False', 'ExternalMissing', 'gone'),
    condition('Synced', 'Unknown', 'ExternalMissing'),
  ]
  await other.put({ kind: 'Shelf', name: 'broken', status: { conditions: broken } })
  await other.put({ kind: 'Shelf', name: 'lost', status: { conditions: lost } })
  for (const name of ['broken', 'lost']) {
    const spec = { forProvider: { shelfRef: { name } } }
    await other.put({ kind: 'Book', name, spec, status: { conditions: broken } })
  }
  const rootOf = async (book: string) =>
    fieldsOf(listOf(documentOf(await other.run('why', book, '-o', 'json'))['chain']).at(-1))['object']
  assert.equal(await rootOf('book/broken'), 'book/broken')
  assert.equal(await rootOf('book/lost'), 'shelf/lost')
})

test('a namespace that is being deleted waits for what is managed in it', async () => {
  await using other = await createWorld()
  await other.put({ kind: 'Shelf', name: 'last', finalizers: ['orrery.dev/managed'], status: { conditions: allWell } })
  await other.client.delete(namespaces, { name: NAMESPACE })
  const ran = await other.run('why', 'ns', NAMESPACE, '-o', 'json')
  assert.equal(fieldsOf(listOf(documentOf(ran)['chain']).at(-1))['object'], 'shelf/last')
  assert.equal((await other.run('why', 'namespace/default')).code, 0)
})

test('an object that nobody takes up is blamed on the manager that does not run', async () => {
  const because = textOf(documentOf(await world.run('why', 'shelf/fresh', '-o', 'json'))['because'])
  assert.match(because ?? '', /manager/)
})

test('why prints at most five lines, and more only with -v', async () => {
  for (const object of ['shelf/orders', 'shelf/kept', 'shelf/drifted', 'shelf/going', 'shelf/well', 'shelf/fresh']) {
    const short = (await world.run('why', object)).out.trimEnd().split('\n')
    assert.ok(short.length <= 5, `${object}: ${short.length} lines`)
  }
  const long = (await world.run('why', 'shelf/drifted', '-v')).out
  assert.match(long, /mallory/)
})

test('why accepts KIND NAME as well as KIND/NAME, and nothing else', async () => {
  assert.equal((await world.run('why', 'shelf', 'well')).code, 0)
  for (const words of [['shelf'], ['shelf/'], ['/well'], ['a', 'b', 'c'], ['a/b/c']]) {
    assert.equal((await world.run('why', ...words)).code, 1)
  }
})

test('tree stands every object below what it lives in, and shows what is missing', async () => {
  const ran = await world.run('tree', '-o', 'json')
  assert.equal(ran.code, 2)
  const paths = new Map<unknown, string>()
  const walk = (node: Fields, path: string) => {
    paths.set(node['object'], path)
    for (const child of listOf(node['children'])) walk(fieldsOf(child), `${path}/${textOf(node['object'])}`)
  }
  for (const each of listOf(documentOf(ran)['roots'])) walk(fieldsOf(each), '')
  assert.equal(paths.get('instance/srv'), '')
  assert.equal(paths.get('shelf/orders'), '/instance/srv/providerconfig/cfg')
  assert.equal(paths.get('book/reader'), '/instance/srv/providerconfig/cfg/shelf/going')
  assert.equal(paths.get('secret/far-login'), '/providerconfig/far')
  assert.equal(paths.get('secret/boss-login'), '/instance/srv/providerconfig/cfg/role.library.orrery.dev/boss')
})

test('tree of one object shows the way to it and what is below, and nothing beside', async () => {
  const { out, code } = await world.run('tree', 'shelf/well')
  assert.equal(code, 2) // The server it stands on is not ready.
  assert.match(out, /instance\/srv[\s\S]*providerconfig\/cfg[\s\S]*shelf\/well/)
  assert.doesNotMatch(out, /shelf\/orders/)
})

test('no command prints the value of a Secret, or steers the terminal with what a server said', async () => {
  for (const args of [
    ['status', '-o', 'wide'],
    ['status', '-o', 'json'],
    ['why', 'instance/srv', '-v'],
    ['why', 'secret/boss-login', '-o', 'json'],
    ['tree'],
    ['tree', '-o', 'yaml'],
    ['doctor'],
  ]) {
    const { out, err } = await world.run(...args)
    const text = out + err
    for (const value of [SECRET, Buffer.from(SECRET).toString('base64')])
      assert.ok(!text.includes(value), args.join(' '))
    assert.ok(!text.includes('\u001b'), args.join(' '))
  }
})

test('a terminal gets colours, and lines that fit', async () => {
  const { out } = await world.runIn({ isTerminal: true }, 'status')
  assert.ok(out.includes('\u001b[31m'))
  const plain = stripVTControlCharacters(out)
  assert.ok(plain.split('\n').every((line) => line.length <= 100))
})

for (const { name, args, code, exit } of [
  { name: 'an unknown command', args: ['frob'], code: 'InvalidArgument', exit: 1 },
  { name: 'an unknown option', args: ['status', '--wat'], code: 'InvalidArgument', exit: 1 },
  { name: 'an unknown format', args: ['tree', '-o', 'wide'], code: 'InvalidArgument', exit: 1 },
  { name: 'an unknown kind', args: ['why', 'frob/x'], code: 'KindNotServed', exit: 1 },
  { name: 'a missing object', args: ['why', 'shelf/none'], code: 'NotFound', exit: 1 },
  {
    name: 'an import without a manager',
    args: ['import', 'shelf', 'x', '--external-name', 'y'],
    code: 'NoManager',
    exit: 1,
  },
  {
    name: 'an import of what is no managed kind',
    args: ['import', 'secret', 'x', '--external-name', 'y'],
    code: 'NotManaged',
    exit: 1,
  },
  {
    name: 'an import over what exists',
    args: ['import', 'shelf', 'well', '--external-name', 'y'],
    code: 'AlreadyExists',
    exit: 1,
  },
]) {
  test(`${name} ends with the next command for people, and is one document for machines`, async () => {
    const told = await world.run(...args)
    assert.deepEqual([told.code, told.out], [exit, ''])
    assert.match(told.err, /^ {2}next {5}\S/m)
    const machine = await world.run(...args.filter((arg) => arg !== '-o' && arg !== 'wide'), '-o', 'json')
    if (args.includes('wide')) return
    assert.deepEqual([machine.code, machine.err], [exit, ''])
    const error = fieldsOf(documentOf(machine)['error'])
    assert.equal(error['code'], code)
    assert.ok(textOf(error['next']) !== undefined)
  })
}

test('the processes of the server get their arguments as they are, and their exit code is ours', async () => {
  const calls: (readonly string[])[] = []
  const runServer = async (args: readonly string[]) => {
    calls.push(args)
    return 7
  }
  for (const args of [
    ['up', '--port', '1', '--plain'],
    ['hub', '--help'],
    ['manager', '--kubeconfig', 'x', '--housekeeping', 'off'],
  ]) {
    assert.equal((await world.runIn({ runServer }, ...args)).code, 7)
    assert.deepEqual(calls.at(-1), args)
  }
})

test('a command that is interrupted says so, and how to run it again', async () => {
  const signal = AbortSignal.abort(new Error('stopped by SIGINT'))
  const ran = await world.runIn({ signal }, 'why', 'shelf/well', '-o', 'json')
  assert.equal(ran.code, 1)
  const error = fieldsOf(documentOf(ran)['error'])
  assert.deepEqual([error['code'], error['next']], ['Interrupted', 'orrery why shelf/well -o json'])
})

test('help is no error', async () => {
  for (const args of [[], ['--help'], ['status', '--help'], ['help', 'why']]) {
    const { code, out } = await world.run(...args)
    assert.equal(code, 0)
    assert.match(out, /^Usage: orrery/)
  }
})

test('doctor exits with 1 when a check fails, and names a next command for all that is not ok', async () => {
  const ran = await world.run('doctor', '-o', 'json')
  assert.equal(ran.code, 1)
  const checks = listOf(documentOf(ran)['checks']).map(fieldsOf)
  assert.equal(checks.find(({ check }) => check === 'manager')?.['result'], 'fail')
  assert.equal(checks.find(({ check }) => check === 'objects')?.['result'], 'warn')
  for (const { result, next } of checks) assert.equal(result === 'ok', next === undefined)
})

test('completion knows commands, kinds, and objects', async () => {
  const complete = async (...words: readonly string[]) =>
    (await world.run('__complete', '--', ...words)).out.split('\n')
  assert.ok((await complete('st')).includes('status'))
  assert.ok((await complete('why', 'sh')).includes('shelf/'))
  assert.deepEqual(await complete('why', 'shelf/we'), ['shelf/well', ''])
  assert.ok((await complete('status', '-n', '')).includes(NAMESPACE))
  assert.deepEqual(await complete('status', '-o', 'w'), ['wide', ''])
  assert.deepEqual(await complete('completion', 'z'), ['zsh', ''])
})

for (const name of ['bash', 'zsh', 'fish']) {
  test(`there is a completion script for ${name}`, async () => {
    const { code, out } = await world.run('completion', name)
    assert.equal(code, 0)
    assert.match(out, /orrery __complete/)
  })
}

test('somebody without rights is told so, in each form', async () => {
  await using other = await createWorld(['nobody'])
  const ran = await other.run('status', '-o', 'json')
  assert.equal(ran.code, 1)
  assert.equal(fieldsOf(documentOf(ran)['error'])['code'], 'Forbidden')
})
