import { qualifiedResource } from '@orrery/api'
import type { Client, DiscoveredResource } from '@orrery/client'
import { discover } from '@orrery/client'
import { CliError } from './problem.ts'
import type { Shell } from './shell.ts'

/** Everything a server serves, as the words on a command line mean it. */
export interface Resources {
  readonly all: readonly DiscoveredResource[]
  /** Kinds of Orrery's providers: managed ones and their configurations. */
  readonly managed: readonly DiscoveredResource[]
  /** Group versions that could not be described; what they hold is unknown. */
  readonly failures: readonly { readonly groupVersion: string; readonly message: string }[]
}

/** The category that every kind of a provider carries in its CustomResourceDefinition. */
export const PROVIDER_CATEGORY = 'orrery'

/** Asks the server what it serves. Throws `ApiError` and `ConnectionError`. */
export async function loadResources(client: Client, signal: AbortSignal): Promise<Resources> {
  const { resources, failures } = await discover(client, { signal })
  const managed = resources.filter(
    ({ categories = [], verbs }) => categories.includes(PROVIDER_CATEGORY) && verbs.includes('list'),
  )
  return { all: resources, managed, failures }
}

/**
 * The kind that a word means: plural, singular, short name or Kind, in any case, alone or with its group
 * (`databases.postgresql.orrery.dev`, `database.v1alpha1.postgresql.orrery.dev`). Among kinds of the same name
 * Orrery's own is meant. Throws {@link CliError} for what is not served or still has several meanings.
 */
export function resolveResource(resources: Resources, word: string, shell: Pick<Shell, 'program'>): DiscoveredResource {
  const wanted = word.toLowerCase()
  const matching = resources.all.filter((resource) => spellingsOf(resource).includes(wanted))
  const ours = matching.filter((resource) => resources.managed.includes(resource))
  const [found, ...others] = ours.length > 0 ? ours : matching
  if (found === undefined) throw notServed(resources, word, shell)
  if (others.length === 0) return found
  const names = [found, ...others].map(qualifiedResource)
  throw new CliError(`"${word}" can mean ${names.join(' or ')}. Say which, with its group.`, {
    code: 'AmbiguousKind',
    path: 'KIND',
    next: `${shell.program} status --kind ${names[0]}`,
  })
}

/** The kind with exactly this group and Kind, or undefined when it is not served. */
export function findResource(
  resources: Resources,
  of: { readonly group: string; readonly kind: string },
): DiscoveredResource | undefined {
  return resources.all.find(({ group, kind }) => group === of.group && kind === of.kind)
}

/** Names of Kubernetes' own kinds; a kind of a provider that shares one is always shown with its group. */
const BUILT_IN = new Set(
  'clusterrole configmap cronjob daemonset deployment endpoint event ingress job lease namespace node pod role rolebinding secret service serviceaccount statefulset storageclass volume'.split(
    ' ',
  ),
)

/** How a kind is written for people and as an argument: `database`, or with its group where that is needed. */
export function displayKind(resources: Resources, resource: DiscoveredResource): string {
  const word = wordOf(resource)
  const isShared = resources.all.some((other) => other !== resource && wordOf(other) === word)
  return resource.group !== '' && (isShared || BUILT_IN.has(word)) ? `${word}.${resource.group}` : word
}

function wordOf({ singular, kind }: DiscoveredResource): string {
  return singular === '' ? kind.toLowerCase() : singular
}

function spellingsOf(resource: DiscoveredResource): readonly string[] {
  const { group, version, plural, singular, kind, shortNames = [] } = resource
  const words = [plural, singular, kind, ...shortNames].filter((word) => word !== '').map((word) => word.toLowerCase())
  if (group === '') return words
  return words.flatMap((word) => [word, `${word}.${group}`, `${word}.${version}.${group}`])
}

function notServed(resources: Resources, word: string, shell: Pick<Shell, 'program'>): CliError {
  const { failures } = resources
  const unknown =
    failures.length === 0
      ? ''
      : ` The server could not describe ${failures.map(({ groupVersion }) => groupVersion).join(', ')}; it may be there.`
  const known = resources.managed.map(({ plural }) => plural)
  const served =
    known.length === 0
      ? 'It serves no kind of a provider; a manager installs them.'
      : `Orrery's kinds there: ${known.join(', ')}.`
  return new CliError(`The server serves no kind "${word}". ${served}${unknown}`, {
    code: 'KindNotServed',
    path: 'KIND',
    next: known.length === 0 ? `${shell.program} doctor` : 'kubectl api-resources',
  })
}
