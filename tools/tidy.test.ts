import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTestCode, projectFiles, readProjectFile } from './source-files.ts'

/** Rules of STYLE.md that no linter knows. */

interface File {
  readonly path: string
  readonly text: string
}

interface Rule {
  readonly name: string
  readonly applies: (path: string) => boolean
  /** Lines that break the rule, as text. */
  readonly find: (text: string) => readonly string[]
}

const isTypeScript = (path: string) => path.endsWith('.ts') || path.endsWith('.tsx')
const isGate = (path: string) => path === 'tools/tidy.test.ts'
/** Where clocks, randomness, disks and networks may be touched. */
const isAdapter = (path: string) => /^(apps|tools|bench|examples)\//.test(path) || /(^|\/)node\//.test(path)
const isPure = (path: string) =>
  isTypeScript(path) && !isAdapter(path) && !isTestCode(path) && !path.startsWith('packages/testing/')

/** 400 is the guide's hard limit; blank lines and comments do not count. */
const MAX_CODE_LINES = 400

const EFFECTS: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: 'Date.now', pattern: /\bDate\s*\.\s*now\b/ },
  { name: 'new Date() without argument', pattern: /\bnew\s+Date\s*(\(\s*\)|(?![\w(\s]))/ },
  { name: 'performance.now', pattern: /\bperformance\s*\.\s*now\b/ },
  { name: 'Math.random', pattern: /\bMath\s*\.\s*random\b/ },
  { name: 'crypto.randomUUID', pattern: /\b(randomUUID|getRandomValues|randomBytes)\b/ },
  { name: 'a timer', pattern: /(?<![.\w])(setTimeout|setInterval|setImmediate)\b/ },
  { name: 'AbortSignal.timeout', pattern: /\bAbortSignal\s*\.\s*timeout\b/ },
  { name: 'global fetch', pattern: /(?<![.\w])fetch\s*\(/ },
  { name: 'process.exit', pattern: /\bprocess\s*\.\s*exit\b/ },
  {
    name: 'an import of a module with effects',
    pattern:
      /['"]node:(fs|fs\/promises|net|tls|dgram|dns|http|https|http2|child_process|worker_threads|cluster|timers|timers\/promises)['"]/,
  },
]

const rules: readonly Rule[] = [
  ...EFFECTS.map(
    ({ name, pattern }): Rule => ({
      name: `${name} outside adapters, apps, tools and tests; take it as an argument`,
      applies: isPure,
      find: (text) => linesOf(withoutComments(text)).filter((line) => pattern.test(line)),
    }),
  ),
  {
    name: `more than ${MAX_CODE_LINES} lines of code`,
    applies: (path) => isTypeScript(path) && !isTestCode(path),
    find: (text) => {
      const count = linesOf(withoutComments(text)).filter((line) => line.trim() !== '').length
      return count > MAX_CODE_LINES ? [`${count} lines`] : []
    },
  },
  {
    name: 'a TODO without an issue; write TODO(#number):',
    applies: (path) => isTypeScript(path) && !isGate(path),
    find: (text) => linesOf(text).filter((line) => /\b(TODO|FIXME|XXX)\b/.test(line) && !/\bTODO\(#\d+\):/.test(line)),
  },
  {
    name: 'a test that is left out or runs alone',
    applies: (path) => isTypeScript(path) && !isGate(path),
    find: (text) =>
      linesOf(withoutComments(text)).filter((line) =>
        /\b(test|it|describe|suite)\s*\.\s*(only|skip|todo)\b/.test(line),
      ),
  },
  {
    name: "a path of somebody's machine or workplace",
    applies: (path) => isText(path) && !isGate(path),
    find: (text) => linesOf(text).filter((line) => FOREIGN.test(line)),
  },
  {
    name: "a registry host; the lock file leaves it to the user's configuration",
    applies: (path) => isText(path) && !isGate(path),
    find: (text) =>
      linesOf(text).filter(
        (line) =>
          /https?:\/\/[^/\s"']*(registry|artifactory|nexus)[^/\s"']*\//i.test(line) &&
          !/registry\.npmjs\.org/.test(line),
      ),
  },
]

const FOREIGN = /(^|[\s"'`(=:])(\/work\/|\/home\/[a-z]|\/Users\/[A-Za-z]|[A-Z]:\\Users\\)|\.\.\/shared\b/
const isText = (path: string) =>
  /\.(ts|tsx|mjs|js|json|md|sh|ya?ml|sql|txt)$/.test(path) || /^\.(ci|npmrc|gitignore)/.test(path)

const files = projectFiles()

test('every rule holds in every file', () => {
  const checked = files.filter((path) => rules.some((rule) => rule.applies(path)))
  // A gate that sees no files passes for ever.
  assert.ok(checked.length >= 50, `only ${checked.length} files were seen`)
  assert.deepEqual(
    checked.flatMap((path) => violations({ path, text: readProjectFile(path) })),
    [],
  )
})

test("the README's tree names every package", () => {
  if (!files.includes('README.md')) return
  const readme = readProjectFile('README.md')
  if (!readme.includes('├─')) return
  const tree = linesOf(readme)
    .filter((line) => /[├└]─/.test(line))
    .join('\n')
  const names = files.flatMap((path) => /^(?:packages|providers|apps)\/([^/]+)\/package\.json$/.exec(path)?.[1] ?? [])
  assert.deepEqual(
    names.filter((name) => !tree.includes(`${name}/`)),
    [],
  )
})

for (const [name, path, text] of [
  ['Date.now', 'packages/hub/src/a.ts', 'const at = Date.now()'],
  ['a new Date', 'packages/hub/src/a.ts', 'const at = new Date()'],
  ['performance.now', 'packages/hub/src/a.ts', 'const at = performance.now()'],
  ['Math.random', 'providers/x/src/a.ts', 'const x = Math.random()'],
  ['crypto.randomUUID', 'packages/api/src/a.ts', 'const id = crypto.randomUUID()'],
  ['setTimeout', 'packages/runtime/src/a.ts', 'setTimeout(() => undefined, 5)'],
  ['setImmediate', 'packages/runtime/src/a.ts', 'setImmediate(run)'],
  ['AbortSignal.timeout', 'packages/runtime/src/a.ts', 'const signal = AbortSignal.timeout(5)'],
  ['fetch', 'packages/client/src/a.ts', 'const x = await fetch(url)'],
  ['process.exit', 'packages/hub/src/a.ts', 'process.exit(1)'],
  ['node:fs', 'packages/hub/src/a.ts', "import { readFile } from 'node:fs/promises'"],
  ['node:worker_threads', 'packages/hub/src/a.ts', "import { Worker } from 'node:worker_threads'"],
  ['a long file', 'packages/hub/src/a.ts', 'x()\n'.repeat(401)],
  ['a TODO', 'packages/hub/src/a.ts', '// TODO: later'],
  ['a test that runs alone', 'packages/hub/src/a.test.ts', "test.only('x', () => {})"],
  ['a test that is left out', 'packages/hub/src/a.test.ts', "it.skip('x', () => {})"],
  ['a foreign path', 'docs/a.md', 'see /home/anna/notes'],
  ['a registry', 'package-lock.json', '"resolved": "https://registry.example.com/x/-/x-1.tgz"'],
] as const) {
  test(`detects ${name}`, () => assert.equal(violations({ path, text }).length, 1))
}

for (const [name, path, text] of [
  ['a date of a number', 'packages/api/src/a.ts', 'const at = new Date(epochMs)'],
  ['a timer in an adapter', 'packages/client/src/node/clock.ts', 'setTimeout(callback, delayMs)'],
  ["node:fs in a provider's adapter", 'providers/x/src/node/a.ts', "import { readFileSync } from 'node:fs'"],
  ['a timer in a test', 'packages/api/src/a.test.ts', 'setTimeout(callback, delayMs)'],
  ['a method named fetch', 'packages/hub/src/a.ts', 'return hub.fetch(request)'],
  ['a comment about Date.now', 'packages/hub/src/a.ts', '// Date.now would jump.'],
  ['a TODO with an issue', 'packages/hub/src/a.ts', '// TODO(#12): later'],
] as const) {
  test(`allows ${name}`, () => assert.deepEqual(violations({ path, text }), []))
}

function violations({ path, text }: File): readonly string[] {
  return rules
    .filter((rule) => rule.applies(path))
    .flatMap((rule) => rule.find(text).map((line) => `${path}: ${rule.name}: ${line.trim().slice(0, 120)}`))
}

function linesOf(text: string): readonly string[] {
  return text.split('\n')
}

/** Good enough for rules that look for words: a comment sign inside a text hides what follows it on that line at most. */
function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/(^|[\s;{}(,])\/\/.*$/gm, '$1')
}
