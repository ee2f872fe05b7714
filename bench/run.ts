import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'

/**
 * `npm run bench -- [NAME]`: runs `bench/NAME.ts`, or all of them one after another, and writes what they
 * print (one JSON object per line and figure) with the machine's facts to `bench/results/NAME.json`.
 */

const directory = import.meta.dirname
const results = join(directory, 'results')
const own = basename(import.meta.filename)
const names = readdirSync(directory)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== own)
  .map((file) => basename(file, '.ts'))
  .sort()
const [wanted, ...options] = process.argv.slice(2)

if (wanted !== undefined && !names.includes(wanted)) {
  console.error(`No benchmark ${wanted}. Known: ${names.join(', ')}`)
  process.exitCode = 2
} else {
  mkdirSync(results, { recursive: true })
  for (const name of wanted === undefined ? names : [wanted]) await runBenchmark(name)
}

async function runBenchmark(name: string): Promise<void> {
  const figures: unknown[] = []
  const child = spawn(process.execPath, ['--expose-gc', join(directory, `${name}.ts`), ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    if (line.startsWith('{')) figures.push(JSON.parse(line))
  }
  const code = await exit
  if (code !== 0) {
    console.error(`bench/${name}.ts ended with exit code ${code}; its results are not kept`)
    process.exitCode = 1
    return
  }
  const [cpu] = cpus()
  const machine = {
    cpu: cpu?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    takenAt: new Date().toISOString(),
  }
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify({ name, machine, figures }, undefined, 2)}\n`)
}
