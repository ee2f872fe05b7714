import { parseArgs } from 'node:util'
import { runCampaign } from './campaign.ts'
import { mutants } from './mutants.ts'
import type { SimulationResult, World } from './simulation.ts'
import { worlds } from './worlds.ts'

/**
 * `npm run simulate -- [--seed N] [--seeds N] [--mutant NAME] [--world NAME]`. Exit code 1 when a rule was
 * broken or a goal was never reached; with a mutant, when it was not caught.
 */

const DEFAULT_SEEDS = 50
/** Fewer seeds need not reach every goal. */
const GOAL_SEEDS = 30

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    mutant: { type: 'string' },
    world: { type: 'string' },
  },
})

const mutant = mutants.find(({ name }) => name === values.mutant)
const chosen = worlds.filter(({ name }) => values.world === undefined || name === values.world)
const firstSeed = Number(values.seed ?? 1)
const seeds = Number(values.seeds ?? (values.seed === undefined ? DEFAULT_SEEDS : 1))

if (values.mutant !== undefined && mutant === undefined) {
  fail(`No mutant ${values.mutant}. Known: ${mutants.map(({ name }) => name).join(', ')}`)
} else if (chosen.length === 0) fail(`No world ${values.world}. Known: ${worlds.map(({ name }) => name).join(', ')}`)
else if (!Number.isSafeInteger(firstSeed) || !Number.isSafeInteger(seeds)) fail('--seed and --seeds take whole numbers')
else await simulate()

async function simulate(): Promise<void> {
  const startMs = performance.now()
  const options = { worlds: chosen, firstSeed, seeds, onResult: report }
  const { runs, failures, missedGoals } = await runCampaign(mutant === undefined ? options : { ...options, mutant })
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  if (mutant !== undefined) {
    const caught = failures.length > 0
    console.log(`${mutant.name}: ${caught ? `caught after ${runs} runs` : `NOT caught in ${runs} runs`} (${seconds} s)`)
    process.exitCode = caught ? 0 : 1
    return
  }
  const missed = seeds >= GOAL_SEEDS ? missedGoals : []
  for (const goal of missed) console.log(`never reached: ${goal}`)
  console.log(`${runs} runs, ${failures.length} failed, ${missed.length} goals missed (${seconds} s)`)
  process.exitCode = failures.length + missed.length > 0 ? 1 : 0
}

function report(world: World, result: SimulationResult): void {
  const { seed, violations, traceHash, events, virtualMs, options } = result
  console.log(
    `${world.name} seed ${seed}: ${violations.length === 0 ? 'ok' : 'FAILED'} ${events} events, ${virtualMs} ms, ${traceHash}`,
  )
  if (violations.length === 0) return
  for (const violation of violations) console.log(`  ${violation}`)
  console.log(`  options ${JSON.stringify(options)}`)
  const planted = mutant === undefined ? '' : ` --mutant ${mutant.name}`
  console.log(`  reproduce: npm run simulate -- --world ${world.name} --seed ${seed}${planted}`)
}

function fail(message: string): void {
  console.error(message)
  process.exitCode = 2
}
