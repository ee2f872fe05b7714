import { describe, test } from 'node:test'
import { lifeRules } from './store-rules/life-rules.ts'
import { listRules } from './store-rules/list-rules.ts'
import type { Rule, StoreFixture } from './store-rules/rule.ts'
import { watchRules } from './store-rules/watch-rules.ts'
import { writeRules } from './store-rules/write-rules.ts'

export type { StoreFixture } from './store-rules/rule.ts'

const rules: readonly Rule[] = [...writeRules, ...listRules, ...watchRules, ...lifeRules]

/** Registers a test for each promise of the Store contract. Every implementation runs all of them. */
export function storeSuite(name: string, fixture: StoreFixture): void {
  void describe(`${name} keeps the contract of a store`, () => {
    for (const rule of rules) void test(rule.name, () => prove(rule, fixture))
  })
}

/** The promises that a store breaks, by name: shows that the suite notices. */
export async function brokenRules(fixture: StoreFixture): Promise<readonly string[]> {
  const broken: string[] = []
  for (const rule of rules) {
    try {
      await prove(rule, fixture)
    } catch (error) {
      broken.push(`${rule.name}: ${String(error)}`)
    }
  }
  return broken
}

async function prove(rule: Rule, fixture: StoreFixture): Promise<void> {
  await using store = await fixture.open()
  await rule.body(store, fixture)
}
