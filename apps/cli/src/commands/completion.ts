import type { Command } from 'commander'
import type { Connection } from '../connection.ts'
import { Lookup } from '../lookup.ts'
import type { Resources } from '../resources.ts'
import { displayKind, loadResources, resolveResource } from '../resources.ts'
import type { Shell } from '../shell.ts'

/** Completion of the command line: scripts for shells, and the candidates they ask for. */

const BASH = `# Completion of orrery for bash. Load it with: source <(orrery completion bash)
_orrery() {
  mapfile -t COMPREPLY < <(orrery __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -gt 0 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace
}
complete -F _orrery orrery
`

const ZSH = `#compdef orrery
# Completion of orrery for zsh. Load it with: source <(orrery completion zsh)
_orrery() {
  local -a found open whole
  found=("\${(@f)$(orrery __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  open=(\${(M)found:#*/})
  whole=(\${found:#*/})
  compadd -S '' -a open
  compadd -a whole
}
compdef _orrery orrery
`

const FISH = `# Completion of orrery for fish. Load it with: orrery completion fish | source
complete -c orrery -f -a '(orrery __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`

/** The script of each shell. */
export const completionScripts: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

/** A reader who presses a key waits no longer than this. */
const TIMEOUT_MS = 2_000
/** More candidates than this help nobody. */
const MAX_CANDIDATES = 500

/** What the last of the words may become. Without a server only what needs none; a completion never fails. */
export async function complete(shell: Shell, program: Command, words: readonly string[]): Promise<readonly string[]> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const [name] = before.filter((word) => !word.startsWith('-'))
  const command = program.commands.find((each) => each.name() === name)
  const candidates =
    command === undefined ? commandNames(program) : await candidatesOf(shell, { command, before, current })
  return candidates.filter((candidate) => candidate.startsWith(current)).slice(0, MAX_CANDIDATES)
}

const commandNames = (program: Command) =>
  program.commands.map((command) => command.name()).filter((name) => !name.startsWith('__'))

interface Line {
  readonly command: Command
  readonly before: readonly string[]
  readonly current: string
}

async function candidatesOf(shell: Shell, line: Line): Promise<readonly string[]> {
  const { command, before, current } = line
  if (command.name() === 'completion') return Object.keys(completionScripts)
  const option = command.options.find(({ short, long }) => [short, long].includes(before.at(-1) ?? ''))
  if (option?.argChoices !== undefined) return option.argChoices
  if (option?.long === '--namespace') return await fromServer(shell, before, namespaceNames)
  if (option?.long === '--kind') return await fromServer(shell, before, kindNames)
  if (option !== undefined && option.required) return []
  if (current.startsWith('-')) return command.options.flatMap(({ long }) => long ?? [])
  if (command.name() === 'import') return before.length === 1 ? await fromServer(shell, before, kindNames) : []
  if (!['why', 'tree'].includes(command.name())) return []
  return await fromServer(shell, before, async (server) => {
    if (!current.includes('/')) return (await kindNames(server)).map((kind) => `${kind}/`)
    return await objectNames(server, current.slice(0, current.indexOf('/')))
  })
}

interface Server {
  readonly shell: Shell
  readonly lookup: Lookup
  readonly resources: Resources
  readonly namespace: string
}

async function fromServer(
  shell: Shell,
  before: readonly string[],
  ask: (server: Server) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const valueOf = (...names: readonly string[]) => {
    const at = before.findLastIndex((word) => names.includes(word))
    return at < 0 ? undefined : before[at + 1]
  }
  let connection: Connection | undefined
  try {
    connection = shell.connect({
      kubeconfig: valueOf('--kubeconfig'),
      context: valueOf('--context'),
      timeoutMs: TIMEOUT_MS,
    })
    const { client } = connection
    const resources = await loadResources(client, shell.signal)
    const namespace = valueOf('-n', '--namespace') ?? connection.namespace
    return await ask({ shell, resources, namespace, lookup: new Lookup(client, shell.signal) })
  } catch {
    // Whoever presses a key in the middle of a line wants no error there; the command itself will tell.
    return []
  } finally {
    await connection?.[Symbol.asyncDispose]()
  }
}

async function kindNames({ resources }: Server): Promise<readonly string[]> {
  return resources.managed.map((resource) => displayKind(resources, resource))
}

async function namespaceNames({ resources, lookup }: Server): Promise<readonly string[]> {
  const kinds = resources.all.filter(({ group, kind }) => group === '' && kind === 'Namespace')
  return (await lookup.list(kinds, undefined)).items.map(({ key }) => key.name)
}

async function objectNames({ resources, lookup, namespace, shell }: Server, word: string): Promise<readonly string[]> {
  const { items } = await lookup.list([resolveResource(resources, word, shell)], namespace)
  return items.map(({ key }) => `${word}/${key.name}`)
}
