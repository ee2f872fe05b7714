import { spawn, spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { whyNoPeer } from './peers/kube-apiserver.ts'

/**
 * `npm test`: every check and every suite, each step with its time; the last line is `N passed, N failed`.
 * `npm run check` is the first part of it: format, lint, types, dead code, layers and style. With words as arguments
 * only the steps whose name contains one of them.
 *
 * Test files named `*.e2e.test.ts` start servers and processes and get a process of their own; all others share one.
 */

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (name: string) => path.join(root, 'node_modules/.bin', name)
const CHECKS = '--checks'
const SUITES = ['packages/*/src', 'providers/*/src', 'apps/*/src', 'tools', 'examples'].map(
  (folder) => `${folder}/**/*.test.ts`,
)

interface Step {
  readonly name: string
  readonly command: readonly string[]
  /** Counts the tests that `node --test` reports; otherwise the step itself is one. */
  readonly counts: boolean
}

interface Tally {
  passed: number
  failed: number
}

const step = (name: string, ...command: string[]): Step => ({ name, command, counts: false })

/** What needs no server and no patience. */
function checks(): readonly Step[] {
  return [
    step('format', bin('biome'), 'check', '.'),
    step('lint', bin('oxlint'), '--type-aware', '--deny-warnings'),
    step('types', bin('tsc'), '--noEmit'),
    step('dead code', bin('knip')),
  ]
}

const rules: Step = {
  name: 'layers and style',
  command: [process.execPath, '--test', '--test-isolation=none', 'tools/layers.test.ts', 'tools/tidy.test.ts'],
  counts: true,
}

function steps(): readonly Step[] {
  const files = SUITES.flatMap((pattern) => globSync(pattern, { cwd: root })).toSorted()
  const endToEnd = files.filter((file) => file.endsWith('.e2e.test.ts'))
  const shared = files.filter((file) => !file.endsWith('.e2e.test.ts'))
  return [
    ...checks(),
    { name: 'suites', command: [process.execPath, '--test', '--test-isolation=none', ...shared], counts: true },
    ...endToEnd.map((file) => ({ name: file, command: [process.execPath, '--test', file], counts: true })),
    step('simulation: 300 seeds', process.execPath, 'packages/testing/src/simulate.ts', '--seeds', '300'),
    step('simulation: mutants are caught', process.execPath, 'packages/testing/src/simulate.ts', '--mutant', 'all'),
  ]
}

/** Real API servers for the suites that need them, built once into the cache. Without Go those suites are skipped, and say so. */
async function buildPeers(): Promise<void> {
  if (whyNoPeer({ controllerManager: true }) === undefined) return
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) return
  process.stdout.write('\n── building etcd, kube-apiserver and kube-controller-manager (once, about 5 minutes)\n')
  const script = path.join(root, 'tools/peers/build-peers.sh')
  const outcome = await run({ name: 'peers', command: ['sh', '-c', `"${script}" 2>&1 | tail -n 5`], counts: false })
  process.stdout.write(outcome.failed === 0 ? '' : 'They could not be built; the suites that need them are skipped.\n')
}

async function run(each: Step): Promise<Tally> {
  const started = performance.now()
  process.stdout.write(`\n── ${each.name}\n`)
  const [program = '', ...args] = each.command
  const child = spawn(program, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, FORCE_COLOR: '0' },
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-20_000)
    process.stdout.write(chunk)
  })
  const code = await new Promise<number>((resolve) => {
    child.once('error', () => resolve(1))
    child.once('close', (status) => resolve(status ?? 1))
  })
  const tally = each.counts ? counted(output, code) : { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`── ${each.name}: ${tally.failed === 0 ? 'ok' : 'FAILED'} in ${seconds} s\n`)
  return tally
}

/** A file that fails outside its tests, or reports no test at all, has not passed. */
function counted(output: string, code: number): Tally {
  const number = (word: string) => Number(new RegExp(`^[ℹ#] ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? 0)
  const passed = number('pass')
  const failed = number('fail') + number('cancelled')
  const skipped = number('skipped') + number('todo')
  if (failed === 0 && (code !== 0 || passed + skipped === 0)) return { passed, failed: 1 }
  return { passed, failed }
}

const onlyChecks = process.argv.includes(CHECKS)
const words = process.argv.slice(2).filter((word) => word !== CHECKS)
const total: Tally = { passed: 0, failed: 0 }
const failures: string[] = []
if (!onlyChecks && words.length === 0) await buildPeers()
for (const each of onlyChecks ? [...checks(), rules] : steps()) {
  if (words.length > 0 && !words.some((word) => each.name.includes(word))) continue
  const tally = await run(each)
  total.passed += tally.passed
  total.failed += tally.failed
  if (tally.failed > 0) failures.push(each.name)
}
if (failures.length > 0) process.stdout.write(`\nFailed: ${failures.join(', ')}\n`)
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`)
process.exitCode = total.failed === 0 ? 0 : 1
