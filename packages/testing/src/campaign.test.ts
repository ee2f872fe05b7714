import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCampaign } from './campaign.ts'
import { mutants } from './mutants.ts'
import { Simulation } from './simulation.ts'
import { managedWorld } from './worlds/managed.ts'
import { storeWorld } from './worlds/store.ts'
import { worlds } from './worlds.ts'

/** Within so many seeds each planted bug must be found. */
const MUTANT_SEEDS = 20

/** A run of the managed world costs a second; of the store's, a few milliseconds. */
const seedsOf = (name: string) => (name === 'managed' ? 2 : 10)

test('equal seeds give equal runs, different seeds different ones', async () => {
  for (const world of worlds) {
    const hashes = new Set<string>()
    for (let seed = 1; seed <= seedsOf(world.name); seed++) {
      const first = await new Simulation({ seed }).run(world)
      const second = await new Simulation({ seed }).run(world)
      assert.equal(first.traceHash, second.traceHash, `${world.name} seed ${seed}`)
      hashes.add(first.traceHash)
    }
    assert.equal(hashes.size, seedsOf(world.name))
  }
})

test('the store world holds in every seed and reaches every goal', async () => {
  const report = await runCampaign({ worlds: [storeWorld], firstSeed: 1, seeds: 40 })
  assert.deepEqual(report.failures, [])
  assert.deepEqual(report.missedGoals, [])
})

for (const mutant of mutants.filter(({ disk, store, cache }) => (disk ?? store ?? cache) !== undefined)) {
  test(`the planted bug ${mutant.name} is caught`, async () => {
    const report = await runCampaign({ worlds: [storeWorld], firstSeed: 1, seeds: MUTANT_SEEDS, mutant })
    assert.equal(report.failures.length, 1)
  })
}

// Each of these once ended with a duplicate, a stray, a namespace that never went, or a world that kept writing.
for (const seed of [6, 18, 21, 34, 63, 250]) {
  test(`the managed world holds in seed ${seed}, which once failed`, async () => {
    const { violations } = await new Simulation({ seed }).run(managedWorld)
    assert.deepEqual(violations, [])
  })
}

test('a world that waits for nothing is reported as stuck, one that throws as failed', async () => {
  const run = (world: () => Promise<void>) => new Simulation({ seed: 1 }).run({ name: 'x', goals: [], run: world })
  assert.equal((await run(() => new Promise(() => undefined))).violations.length, 1)
  assert.equal((await run(() => Promise.reject(new Error('x')))).violations.length, 1)
  assert.equal((await run(() => Promise.resolve())).violations.length, 0)
})
