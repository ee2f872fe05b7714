import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { CampaignReport } from './campaign.ts'
import { runCampaign } from './campaign.ts'
import { mutants } from './mutants.ts'
import type { SimulationResult, World } from './simulation.ts'
import { worlds } from './worlds.ts'

/**
 * `npm run simulate -- [--seed N] [--seeds N] [--mutant NAME|all] [--world NAME]`. Exit code 1 when a rule was
 * broken or a goal was never reached; with a mutant, when it was not caught.
 */

const DEFAULT_SEEDS = 50
/** Fewer seeds need not reach every goal. */
const GOAL_SEEDS = 30
/** Within so many seeds each planted bug must be found. */
const MUTANT_SEEDS = 20
/** One thread per core of the smallest machine that the suites are meant for. */
const THREADS = 2
/** Seeds that a thread takes at a time; worlds differ in cost, so the last ones must not all be one thread's. */
const SEEDS_AT_ONCE = 5

/** Some seeds of a campaign, as one thread runs them. */
interface Part {
  readonly firstSeed: number
  readonly seeds: number
  readonly mutant: string | undefined
  readonly world: string | undefined
}

type PartReport = Omit<CampaignReport, 'failures'> & { readonly failed: number }

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      mutant: { type: 'string' },
      world: { type: 'string' },
    },
  })
  const firstSeed = Number(values.seed ?? 1)
  const isOne = values.seed !== undefined && values.seeds === undefined
  const { mutant, world } = values
  const seeds = Number(values.seeds ?? (isOne ? 1 : mutant === undefined ? DEFAULT_SEEDS : MUTANT_SEEDS))
  const planted = mutants.filter(({ name }) => mutant === 'all' || name === mutant)
  if (mutant !== undefined && planted.length === 0) {
    fail(`No mutant ${mutant}. Known: all, ${mutants.map(({ name }) => name).join(', ')}`)
  } else if (chosen(world).length === 0) {
    fail(`No world ${world}. Known: ${worlds.map(({ name }) => name).join(', ')}`)
  } else if (!Number.isSafeInteger(firstSeed) || !Number.isSafeInteger(seeds)) {
    fail('--seed and --seeds take whole numbers')
  } else if (mutant === undefined) await simulate({ firstSeed, seeds, mutant, world })
  else await plant(planted, { firstSeed, seeds, world })
}

async function simulate(campaign: Part): Promise<void> {
  const startMs = performance.now()
  const parts: Part[] = []
  for (let offset = 0; offset < campaign.seeds; offset += SEEDS_AT_ONCE) {
    const seeds = Math.min(SEEDS_AT_ONCE, campaign.seeds - offset)
    parts.push({ ...campaign, firstSeed: campaign.firstSeed + offset, seeds })
  }
  const reports = await inThreads(parts)
  const missed = campaign.seeds >= GOAL_SEEDS ? missedByAll(reports) : []
  for (const goal of missed) console.log(`never reached: ${goal}`)
  const [runs, failed] = [sum(reports.map((each) => each.runs)), sum(reports.map((each) => each.failed))]
  console.log(`${runs} runs, ${failed} failed, ${missed.length} goals missed (${secondsSince(startMs)} s)`)
  process.exitCode = failed + missed.length > 0 ? 1 : 0
}

/** Each mutant runs in its own world until the first seed that finds it. */
async function plant(
  planted: typeof mutants,
  options: { readonly firstSeed: number; readonly seeds: number; readonly world: string | undefined },
): Promise<void> {
  const startMs = performance.now()
  const parts = planted.map(({ name, world }) => ({ ...options, mutant: name, world: options.world ?? world }))
  const reports = await inThreads(parts)
  for (const [index, { name }] of planted.entries()) {
    const { runs = 0, failed = 0 } = reports[index] ?? {}
    console.log(`${name}: ${failed > 0 ? `caught after ${runs} runs` : `NOT caught in ${runs} runs`}`)
  }
  const caught = reports.filter(({ failed }) => failed > 0).length
  console.log(`${caught} of ${planted.length} caught (${secondsSince(startMs)} s)`)
  process.exitCode = caught === planted.length ? 0 : 1
}

/** Runs every part; the reports come in the order of the parts. */
async function inThreads(parts: readonly Part[]): Promise<readonly PartReport[]> {
  const reports: PartReport[] = []
  const rest = [...parts.entries()]
  const work = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      const [index, part] = next
      reports[index] = parts.length === 1 ? await runPart(part) : await inThread(part)
    }
  }
  await Promise.all(Array.from({ length: THREADS }, work))
  return reports
}

function inThread(part: Part): Promise<PartReport> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: part })
    worker.once('message', (report: PartReport) => resolve(report))
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`A simulation thread ended with code ${code} and no report.`)))
  })
}

async function runPart({ firstSeed, seeds, mutant, world }: Part): Promise<PartReport> {
  const planted = mutants.find(({ name }) => name === mutant)
  const options = { worlds: chosen(world), firstSeed, seeds, onResult: reporter(mutant) }
  const report = await runCampaign(planted === undefined ? options : { ...options, mutant: planted })
  return { runs: report.runs, failed: report.failures.length, missedGoals: report.missedGoals }
}

function reporter(mutant: string | undefined): (world: World, result: SimulationResult) => void {
  return (world, { seed, violations, traceHash, events, virtualMs, options }) => {
    const verdict = violations.length === 0 ? 'ok' : mutant === undefined ? 'FAILED' : `catches ${mutant}`
    console.log(`${world.name} seed ${seed}: ${verdict} ${events} events, ${virtualMs} ms, ${traceHash}`)
    if (violations.length === 0) return
    const shown = mutant === undefined ? violations : violations.slice(0, 2)
    for (const violation of shown) console.log(`  ${violation}`)
    if (mutant === undefined) console.log(`  options ${JSON.stringify(options)}`)
    const planted = mutant === undefined ? '' : ` --mutant ${mutant}`
    console.log(`  reproduce: npm run simulate -- --world ${world.name} --seed ${seed}${planted}`)
  }
}

function chosen(world: string | undefined): readonly World[] {
  return worlds.filter(({ name }) => world === undefined || name === world)
}

function missedByAll(reports: readonly PartReport[]): readonly string[] {
  const [first, ...others] = reports
  return (first?.missedGoals ?? []).filter((goal) => others.every(({ missedGoals }) => missedGoals.includes(goal)))
}

/** What the main thread sent is a part; nobody else starts this file as a thread. */
function parsePart(data: unknown): Part {
  return data as Part
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const secondsSince = (startMs: number) => ((performance.now() - startMs) / 1000).toFixed(1)

function fail(message: string): void {
  console.error(message)
  process.exitCode = 2
}

if (isMainThread) await main()
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin.
else if (parentPort !== null) parentPort.postMessage(await runPart(parsePart(workerData)))
