import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { chooseKubeconfigs, watchClock } from './connection.ts'
import { CliError } from './problem.ts'

const root = mkdtempSync(path.join(tmpdir(), 'orrery-cli-'))
after(() => rmSync(root, { recursive: true }))

const withLocal = path.join(root, 'with-local')
const home = path.join(root, 'home')
for (const file of [path.join(withLocal, '.orrery', 'kubeconfig'), path.join(home, '.kube', 'config')]) {
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, '')
}
const homeFile = path.join(home, '.kube', 'config')
const localFile = path.join(withLocal, '.orrery', 'kubeconfig')
const listed = path.join(root, 'listed')
writeFileSync(listed, '')

for (const { name, given, directory, environment, want } of [
  {
    name: 'the option',
    given: 'x',
    directory: root,
    environment: { KUBECONFIG: listed },
    want: [path.join(root, 'x')],
  },
  {
    name: 'KUBECONFIG',
    given: undefined,
    directory: withLocal,
    environment: { KUBECONFIG: listed, HOME: home },
    want: [listed],
  },
  { name: 'the local one', given: undefined, directory: withLocal, environment: { HOME: home }, want: [localFile] },
  { name: "the user's", given: undefined, directory: root, environment: { HOME: home }, want: [homeFile] },
  {
    name: 'those listed files that exist',
    given: undefined,
    directory: root,
    environment: { KUBECONFIG: `${path.join(root, 'missing')}:${listed}` },
    want: [listed],
  },
]) {
  test(`the kubeconfig is ${name}`, () => {
    assert.deepEqual(chooseKubeconfigs({ environment, directory, program: 'orrery' }, given), want)
  })
}

for (const environment of [{ HOME: root }, { KUBECONFIG: path.join(root, 'missing') }]) {
  test(`without any kubeconfig (${Object.keys(environment).join()}) the next command is named`, () => {
    assert.throws(
      () => chooseKubeconfigs({ environment, directory: root, program: 'orrery' }, undefined),
      (error) => error instanceof CliError && error.problem.next === 'orrery up',
    )
  })
}

test("the server's clock is learned from the Date header of an answer", async () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  const clock = { now: () => now, mono: () => 0, schedule: () => ({ [Symbol.dispose]: () => undefined }) }
  const date = new Date(now + 90_000).toUTCString()
  const watched = watchClock(async () => ({ status: 200, headers: { date } }), clock)
  assert.equal(watched.offsetMs(), undefined)
  await watched.handle({ method: 'GET', target: '/', headers: {}, signal: new AbortController().signal })
  assert.equal(watched.offsetMs(), 90_500)
})
