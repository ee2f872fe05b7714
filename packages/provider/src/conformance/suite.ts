import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject } from '@orrery/api'
import { crashRules } from './crashes.ts'
import { dependencyRules } from './dependencies.ts'
import { faultRules } from './faults.ts'
import type { ConformanceWorld, KindCase, ProviderHarness } from './harness.ts'
import { lifecycleRules } from './lifecycle.ts'
import { ownershipRules } from './ownership.ts'
import type { Stage } from './rule.ts'
import { shapeRules } from './shape.ts'
import { prepareStage, startLife, until } from './stage.ts'

export interface SuiteOptions {
  /** Every so many crash points are tried; 1 is all. Default 1. */
  readonly crashStride?: number
  /** Kinds to try; default all. */
  readonly kinds?: readonly string[]
}

const rules = [...lifecycleRules, ...shapeRules, ...ownershipRules, ...dependencyRules, ...crashRules, ...faultRules]

/**
 * Registers tests that every provider must pass, one group per kind: that effects happen once whatever is lost,
 * late or killed, that nothing foreign is touched, and that a world at rest is left alone. A rule that cannot be
 * tried on a kind is skipped and says why.
 */
export function providerSuite(name: string, harness: ProviderHarness, options: SuiteOptions = {}): void {
  const { crashStride = 1, kinds } = options
  void test(`${name}: every kind has a case`, async () => {
    await harness.run(async (world) => {
      const missing = world.provider.kinds.filter(({ kind }) => !harness.cases.some((each) => each.kind === kind))
      assert.deepEqual(
        missing.map(({ kind }) => kind),
        [],
      )
    })
  })
  for (const kindCase of harness.cases) {
    if (kinds !== undefined && !kinds.includes(kindCase.kind)) continue
    void test(`${name}: ${kindCase.kind}`, async (group) => {
      await harness.run(async (world) => {
        await prepareStage(world)
        await makePrerequisites(world, kindCase)
        for (const [index, rule] of rules.entries()) {
          const stage = stageOf(world, harness.cases, { kindCase, index, crashStride })
          const reason = rule.skip?.(stage)
          const how = reason === undefined ? {} : { skip: reason }
          await group.test(rule.says, how, async () => await rule.run(stage))
        }
      })
    })
  }
}

/** The rules that a kind breaks, in their order: for proving that the suite finds what it is for. */
export async function brokenRules(
  harness: ProviderHarness,
  kind: string,
  /** Tries only rules that begin so. */
  { saying = '' }: { readonly saying?: string } = {},
): Promise<readonly string[]> {
  const kindCase = harness.cases.find((each) => each.kind === kind)
  assert.ok(kindCase !== undefined, `The harness has no case of ${kind}.`)
  const broken: string[] = []
  for (const [index, rule] of rules.entries()) {
    if (!rule.says.startsWith(saying)) continue
    await harness.run(async (world) => {
      await prepareStage(world)
      await makePrerequisites(world, kindCase)
      const stage = stageOf(world, harness.cases, { kindCase, index, crashStride: 1 })
      if (rule.skip?.(stage) !== undefined) return
      try {
        await rule.run(stage)
      } catch (error) {
        if (!(error instanceof Error)) throw error
        broken.push(`${rule.says}: ${error.message}`)
      }
    })
  }
  return broken
}

function stageOf(
  world: ConformanceWorld,
  cases: readonly KindCase[],
  how: { readonly kindCase: KindCase; readonly index: number; readonly crashStride: number },
): Stage {
  const { kindCase, index, crashStride } = how
  const { kinds, instanceKind } = world.provider
  const definition = kinds.find(({ kind }) => kind === kindCase.kind)
  assert.ok(definition !== undefined, `The provider has no kind ${kindCase.kind}.`)
  const peer = cases.find(({ kind, prerequisites = [] }) => kind !== instanceKind && prerequisites.length === 0)
  return { world, kindCase, definition, peer, prefix: `${kindCase.kind.toLowerCase()}-${index}`, crashStride }
}

async function makePrerequisites(world: ConformanceWorld, { prerequisites = [] }: KindCase): Promise<void> {
  if (prerequisites.length === 0) return
  await using _life = await startLife(world)
  for (const object of prerequisites) await makeReady(world, object)
}

async function makeReady(world: ConformanceWorld, object: KubeObject): Promise<void> {
  const [group = '', version = ''] = object.apiVersion.split('/')
  const definition = world.provider.kinds.find(({ kind }) => kind === object.kind)
  assert.ok(definition !== undefined && group === world.provider.group, `${object.kind} is not of this provider`)
  const kind = { group, version, kind: object.kind, plural: definition.plural, namespaced: true, singular: '' }
  const placed = { ...object, metadata: { ...object.metadata, namespace: world.namespace } }
  await world.client.create<KubeObject>(kind, placed)
  await until(world, `${object.kind} ${object.metadata.name} to be ready`, async () => {
    const found: KubeObject = await world.client.get(kind, placed.metadata)
    return JSON.stringify(found).includes('"reason":"Available"') ? true : undefined
  })
}
