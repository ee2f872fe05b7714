import type { Mutant } from './mutants.ts'
import { Simulation, type SimulationResult, type World } from './simulation.ts'

export interface CampaignOptions {
  readonly worlds: readonly World[]
  readonly firstSeed: number
  readonly seeds: number
  readonly mutant?: Mutant
  readonly onResult?: (world: World, result: SimulationResult) => void
}

export interface CampaignReport {
  readonly runs: number
  readonly failures: readonly { readonly world: string; readonly result: SimulationResult }[]
  /** Goals that no seed reached, as `world: goal`. */
  readonly missedGoals: readonly string[]
}

/** Runs each world under each seed, in order. With a mutant it stops at the first failure: the bug is caught. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const failures: { readonly world: string; readonly result: SimulationResult }[] = []
  const missed = new Set(options.worlds.flatMap(({ name, goals }) => goals.map((goal) => `${name}: ${goal}`)))
  let runs = 0
  for (let seed = options.firstSeed; seed < options.firstSeed + options.seeds; seed++) {
    for (const world of options.worlds) {
      const { mutant } = options
      const result = await new Simulation(mutant === undefined ? { seed } : { seed, mutant }).run(world)
      runs++
      for (const goal of result.goals) missed.delete(`${world.name}: ${goal}`)
      options.onResult?.(world, result)
      if (result.violations.length === 0) continue
      failures.push({ world: world.name, result })
      if (mutant !== undefined) return { runs, failures, missedGoals: [...missed] }
    }
  }
  return { runs, failures, missedGoals: [...missed] }
}
