import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { lifeRules } from './store-rules/life-rules.ts'
import { listRules } from './store-rules/list-rules.ts'
import type { Rule, StoreFixture } from './store-rules/rule.ts'
import { watchRules } from './store-rules/watch-rules.ts'
import { writeRules } from './store-rules/write-rules.ts'

export type { StoreFixture } from './store-rules/rule.ts'

/** A rule that takes longer than this is broken: the store does not answer. */
const HANGS_MS = 20_000

const rules: readonly Rule[] = [...writeRules, ...listRules, ...watchRules, ...lifeRules]

/** Registers a test for each promise of the Store contract. Every implementation runs all of them. */
export function storeSuite(name: string, fixture: StoreFixture): void {
  void describe(`${name} keeps the contract of a store`, () => {
    for (const rule of rules) void test(rule.name, { timeout: HANGS_MS }, () => prove(rule, fixture))
  })
}

/** The first promise that a store breaks, or undefined: shows that the suite notices. */
export async function firstBrokenRule(fixture: StoreFixture): Promise<string | undefined> {
  for (const rule of rules) {
    const deadline = new AbortController()
    const hangs = sleep(HANGS_MS, undefined, { signal: deadline.signal }).then(() => {
      throw new Error(`not answered within ${HANGS_MS} ms`)
    })
    try {
      await Promise.race([prove(rule, fixture), hangs])
    } catch {
      return rule.name
    } finally {
      deadline.abort()
      await hangs.catch(() => undefined)
    }
  }
  return undefined
}

async function prove(rule: Rule, fixture: StoreFixture): Promise<void> {
  await using store = await fixture.open()
  await rule.body(store, fixture)
}
