import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { CommonOptions } from './command.ts'
import { complete, completionScripts } from './commands/completion.ts'
import { doctor } from './commands/doctor.ts'
import type { ImportOptions } from './commands/import.ts'
import { importObject } from './commands/import.ts'
import type { StatusOptions } from './commands/status.ts'
import { status } from './commands/status.ts'
import type { TreeOptions } from './commands/tree.ts'
import { tree } from './commands/tree.ts'
import type { VersionOptions } from './commands/version.ts'
import { version } from './commands/version.ts'
import type { WhyOptions } from './commands/why.ts'
import { why } from './commands/why.ts'
import { machineFormatOf, writeDocument } from './document.ts'
import { exitCodes } from './exit-codes.ts'
import type { Problem } from './problem.ts'
import { problemOf } from './problem.ts'
import type { Shell } from './shell.ts'
import { oneLine, painter, shellQuote } from './text.ts'

/** Runs one command line and returns its exit code. Never throws; errors end with the next command to run. */
export async function runCli(args: readonly string[], shell: Shell): Promise<number> {
  let code: number = exitCodes.done
  const program = createProgram(shell, (result) => {
    code = result
  })
  try {
    await program.parseAsync(args.length === 0 ? ['--help'] : [...args], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done // Help was asked for.
    const { problem, exitCode } =
      error instanceof CommanderError
        ? { problem: usageProblem(error, args, shell), exitCode: exitCodes.error }
        : problemOf(error, shell.program)
    if (shell.signal.aborted) {
      const again = [shell.program, ...args.map(shellQuote)].join(' ')
      report(shell, { code: 'Interrupted', message: 'Stopped by a signal.', causes: [], next: again }, args)
      return exitCode
    }
    report(shell, problem, args)
    return exitCode
  }
}

function report(shell: Shell, problem: Problem, args: readonly string[]): void {
  const format = machineFormatOf(args)
  if (format !== undefined) {
    writeDocument(shell.out, format, { kind: 'Error', error: problem })
    return
  }
  const paint = painter(shell, shell.err)
  const causes = problem.causes.filter((cause) => !problem.message.includes(cause))
  shell.err.write(`${paint('red', 'error:')} ${oneLine(problem.message)}\n`)
  for (const cause of causes) shell.err.write(`  because  ${oneLine(cause)}\n`)
  shell.err.write(`  next     ${problem.next}\n`)
}

function usageProblem(error: CommanderError, args: readonly string[], shell: Shell): Problem {
  const [command] = args.filter((arg) => !arg.startsWith('-'))
  const isKnown = command !== undefined && error.code !== 'commander.unknownCommand'
  return {
    code: 'InvalidArgument',
    message: error.message.replace(/^error: /, ''),
    causes: [],
    next: isKnown ? `${shell.program} ${command} --help` : `${shell.program} --help`,
  }
}

const DEFAULT_TIMEOUT_SECONDS = 60

const EXIT_CODES = `
Exit codes:
  0  done; what was looked at is as declared
  1  error
  2  not as declared: not ready, drifted, or a change is pending (0 with --exit-zero)
  3  a change is denied
  4  a change waits for approval
  5  timeout
`

type Done = (code: number) => void

function createProgram(shell: Shell, done: Done): Command {
  const program = new Command('orrery')
    .description('The control plane for everything you run: what is managed, how it is, and why.')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => shell.out.write(text),
      writeErr: () => undefined, // Errors are reported in one place, with the next command.
    })
    .addHelpText('after', EXIT_CODES)
  addServerCommands(program, shell, done)
  addReadCommands(program, shell, done)
  addImport(program, shell, done)
  addCheckCommands(program, shell, done)
  addCompletion(program, shell)
  return program
}

function addServerCommands(program: Command, shell: Shell, done: Done): void {
  for (const [name, description] of [
    ['up', 'run API server and controllers on this machine'],
    ['hub', 'run the API server only'],
    ['manager', 'run the controllers against any Kubernetes API server (--kubeconfig FILE)'],
  ] as const) {
    program
      .command(name)
      .description(description)
      .argument('[args...]', 'options of the server; see --help')
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (args: string[]) => done(await shell.runServer([name, ...args])))
  }
}

function addReadCommands(program: Command, shell: Shell, done: Done): void {
  withCommon(program.command('status'), ['json', 'yaml', 'wide'])
    .description('everything managed, over all kinds; trouble first')
    .option('-A, --all-namespaces', 'all namespaces (the default without -n)')
    .option('--kind <kind>', 'only this kind; may be repeated', collect, [])
    .option('--exit-zero', 'exit with 0 also when something is not as declared')
    .action(async (options: StatusOptions) => done(await status(shell, options)))
  withCommon(program.command('why'), ['json', 'yaml'])
    .description('why an object is not ready: what it waits for, since when, and what to do')
    .argument('<kind/name...>', 'the object, e.g. database/app')
    .option('-v, --verbose', 'all conditions, drift and events too')
    .option('--exit-zero', 'exit with 0 also when it is not as declared')
    .action(async (words: string[], options: WhyOptions) => done(await why(shell, words, options)))
  withCommon(program.command('tree'), ['json', 'yaml'])
    .description('everything managed below what it lives in, with what else it needs')
    .argument('[kind/name...]', 'only the way to this object, and what is below it')
    .option('-A, --all-namespaces', 'all namespaces (the default without -n and without an object)')
    .option('--exit-zero', 'exit with 0 also when something is not as declared')
    .action(async (words: string[], options: TreeOptions) => done(await tree(shell, words, options)))
}

function addImport(program: Command, shell: Shell, done: Done): void {
  withCommon(program.command('import'), ['yaml', 'json'])
    .description('a manifest that takes over what exists, without changing it; printed, or applied with --apply')
    .argument('<kind>', 'a managed kind, e.g. database')
    .argument('<name>', 'name of the object to make')
    .requiredOption('--external-name <name>', 'what it is called outside')
    .option('--provider-config <name>', 'how to reach it: NAME, or clusterproviderconfig/NAME (default: default)')
    .option('--observe-only', 'only look at it: no change, no deletion')
    .option('--set <field=value>', 'a field of spec.forProvider, e.g. ownerRef.name=app; may be repeated', collect, [])
    .option('--new-secrets', 'with --apply: accept that secrets which are not named are made anew')
    .option('--apply', 'apply the manifest and wait until it is taken up')
    .option('--timeout <time>', 'longest wait for the live state', parseSeconds, DEFAULT_TIMEOUT_SECONDS)
    .action(async (kind: string, name: string, options: ImportOptions) =>
      done(await importObject(shell, { kind, name }, options)),
    )
}

function addCheckCommands(program: Command, shell: Shell, done: Done): void {
  withCommon(program.command('doctor'), ['json', 'yaml'])
    .description('checks this machine, the connection, the server and what is managed')
    .action(async (options: CommonOptions) => done(await doctor(shell, options)))
  withCommon(program.command('version'), ['json', 'yaml'])
    .description('of this program and of the server')
    .option('--client', 'of this program only')
    .action(async (options: VersionOptions) => done(await version(shell, options)))
}

function addCompletion(program: Command, shell: Shell): void {
  program
    .command('completion')
    .description('a script that makes a shell complete commands, kinds and names of objects')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(completionScripts)))
    .action((name: string) => shell.out.write(completionScripts[name] ?? ''))
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (words: string[]) => {
      for (const word of await complete(shell, program, words)) shell.out.write(`${word}\n`)
    })
}

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value]

function parseSeconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text)
  const [, digits = '', unit = 's'] = match ?? []
  const seconds = Number(digits) * (unit === 'ms' ? 0.001 : unit === 'm' ? 60 : 1)
  if (match === null || seconds <= 0) throw new InvalidArgumentError('It must be a time such as 30s or 2m.')
  return seconds
}

/** The options that every command which talks to a server has. */
function withCommon(command: Command, formats: readonly string[]): Command {
  return command
    .option('--kubeconfig <file>', 'default: $KUBECONFIG, .orrery/kubeconfig, ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', "default: the context's, or default")
    .option('--request-timeout <time>', 'longest wait for one answer', parseSeconds)
    .addOption(new Option('-o, --output <format>', 'for machines, or with more columns').choices(formats))
}
