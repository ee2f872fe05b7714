import assert from 'node:assert/strict'
import { dirname, join, normalize } from 'node:path/posix'
import { test } from 'node:test'
import { parseSync } from 'oxc-parser'
import { developmentOnly, layers } from '../layers.ts'
import { isProductCode, isTestCode, projectFiles, readProjectFile } from './source-files.ts'

/** Imports go down the layers: layers.ts says how, this test sees to it. */

interface Package {
  readonly name: string
  readonly directory: string
  readonly exports: readonly string[]
}

interface Source {
  readonly path: string
  readonly text: string
}

const files = projectFiles()
const packages: readonly Package[] = files
  .filter((path) => /^(packages|providers|apps)\/[^/]+\/package\.json$/.test(path))
  .map((path) => {
    const content: unknown = JSON.parse(readProjectFile(path))
    const fields = content as { readonly name: string; readonly exports?: Readonly<Record<string, string>> }
    return { name: fields.name, directory: dirname(path), exports: Object.keys(fields.exports ?? {}) }
  })
const sources = files
  .filter((path) => /^(packages|providers|apps)\/[^/]+\/src\/.*\.ts$/.test(path))
  .map((path): Source => ({ path, text: readProjectFile(path) }))

test('every package has a layer, and every layer a package or a place for one', () => {
  const isPlaced = (name: string) => layers[name] !== undefined || developmentOnly.some((only) => only === name)
  assert.deepEqual(
    packages.map((known) => known.name).filter((name) => !isPlaced(name)),
    [],
  )
})

test('imports go down the layers, through exports, and never out of their package', () => {
  // A gate that sees no files passes for ever.
  assert.ok(sources.length >= 50, `only ${sources.length} source files were seen`)
  assert.deepEqual(
    sources.flatMap((source) => violations(source, packages)),
    [],
  )
})

for (const { name, path, text } of [
  { name: 'a higher layer', path: 'packages/client/src/a.ts', text: "import { x } from '@orrery/hub'" },
  { name: 'its own layer', path: 'packages/hub/src/a.ts', text: "import type { X } from '@orrery/runtime'" },
  { name: 'a higher layer, re-exported', path: 'packages/api/src/a.ts', text: "export { x } from '@orrery/client'" },
  {
    name: 'a higher layer, at run time',
    path: 'packages/api/src/a.ts',
    text: "const x = await import('@orrery/client')",
  },
  {
    name: 'a relative path out of the package',
    path: 'packages/client/src/a.ts',
    text: "import { x } from '../../api/src/b.ts'",
  },
  { name: 'a path beside exports', path: 'packages/client/src/a.ts', text: "import { x } from '@orrery/api/src/b.ts'" },
  { name: 'testing in product code', path: 'packages/runtime/src/a.ts', text: "import { x } from '@orrery/testing'" },
  {
    name: 'a name that is computed',
    path: 'packages/api/src/a.ts',
    text: "const x = await import('@orrery/' + 'hub')",
  },
]) {
  test(`detects an import of ${name}`, () => assert.equal(violations({ path, text }, planted).length, 1))
}

for (const { name, path, text } of [
  { name: 'a lower layer', path: 'packages/hub/src/a.ts', text: "import { x } from '@orrery/client/node'" },
  { name: 'a neighbour file', path: 'packages/hub/src/a/b.ts', text: "import { x } from '../c.ts'" },
  { name: 'testing in a test', path: 'packages/runtime/src/a.test.ts', text: "import { x } from '@orrery/testing'" },
]) {
  test(`allows an import of ${name}`, () => assert.deepEqual(violations({ path, text }, planted), []))
}

const planted: readonly Package[] = ['api', 'client', 'hub', 'runtime', 'testing'].map((name) => ({
  name: `@orrery/${name}`,
  directory: `packages/${name}`,
  exports: name === 'client' ? ['.', './node'] : ['.'],
}))

function violations(source: Source, known: readonly Package[]): readonly string[] {
  const own = known.find((candidate) => source.path.startsWith(`${candidate.directory}/`))
  if (own === undefined) return [`${source.path}: belongs to no package`]
  return importsOf(source).flatMap((specifier) => {
    const problem = problemOf(specifier, source, own, known)
    return problem === undefined ? [] : [`${source.path}: ${specifier ?? 'import()'}: ${problem}`]
  })
}

function problemOf(
  specifier: string | undefined,
  source: Source,
  own: Package,
  known: readonly Package[],
): string | undefined {
  if (specifier === undefined) return 'a computed import cannot be checked'
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(source.path), specifier))
    return target.startsWith(`${own.directory}/`) ? undefined : 'leaves its package'
  }
  const target = known.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`))
  if (target === undefined) return specifier.startsWith('@orrery/') ? 'there is no such package' : undefined
  if (!target.exports.includes(`.${specifier.slice(target.name.length)}`))
    return 'is not among the exports of its package'
  if (target.name === own.name) return 'a package imports its own files by relative path'
  return layerProblem(target, source, own)
}

function layerProblem(target: Package, source: Source, own: Package): string | undefined {
  const isDevelopmentOnly = developmentOnly.some((name) => name === target.name)
  if (isDevelopmentOnly) return isTestCode(source.path) ? undefined : 'is for tests only'
  const from = layers[own.name]
  const to = layers[target.name]
  // Tests may use anything, and so may the package that exists for them.
  if (!isProductCode(source.path)) return undefined
  return from !== undefined && to !== undefined && to < from ? undefined : 'is not of a lower layer'
}

/** Every module a file names, types included; undefined for a name that is only known at run time. */
function importsOf({ path, text }: Source): readonly (string | undefined)[] {
  const { module, errors } = parseSync(path, text)
  if (errors.length > 0) return [`.${path} does not parse`]
  return [
    ...module.staticImports.map((entry) => entry.moduleRequest.value),
    ...module.staticExports.flatMap((entry) => entry.entries.flatMap((item) => item.moduleRequest?.value ?? [])),
    ...module.dynamicImports.map(({ moduleRequest }) => literalOf(text.slice(moduleRequest.start, moduleRequest.end))),
  ]
}

function literalOf(expression: string): string | undefined {
  return /^(['"`])([^'"`$]*)\1$/.exec(expression)?.[2]
}
