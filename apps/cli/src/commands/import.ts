import type { KubeObject } from '@orrery/api'
import { ApiError, formatYaml, isInvalid, leases, sleep, stringifyJson } from '@orrery/api'
import type { DiscoveredResource } from '@orrery/client'
import { kindOf } from '@orrery/client'
import { assess } from '../assess.ts'
import type { CommonOptions, Session } from '../command.ts'
import { machineFormat, withSession } from '../command.ts'
import { writeDocument } from '../document.ts'
import type { ExitCode } from '../exit-codes.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Fields } from '../fields.ts'
import { fieldsOf, isFields } from '../fields.ts'
import type { Item } from '../item.ts'
import { readItem } from '../item.ts'
import { judgeLease, MANAGER_LEASE } from '../manager-lease.ts'
import type { ForProvider, Manifest, ManifestOptions } from '../manifest.ts'
import { fillForProvider, findForProvider, manifestOf, parseAssignments } from '../manifest.ts'
import { CliError } from '../problem.ts'
import { displayKind, findResource, resolveResource } from '../resources.ts'
import type { Shell } from '../shell.ts'
import { oneLine } from '../text.ts'

export interface ImportOptions extends CommonOptions {
  readonly externalName: string
  readonly providerConfig?: string
  readonly observeOnly?: boolean
  readonly apply?: boolean
  /** Secrets that are not named may be made anew. */
  readonly newSecrets?: boolean
  /** `field=value` of `spec.forProvider`. */
  readonly set: readonly string[]
  /** Seconds. */
  readonly timeout: number
}

const FIELD_MANAGER = 'orrery-import'
const POLL_MS = 200
/** On the object that only reads, so that one which was left behind can be found. */
const IMPORT_LABEL = 'orrery.dev/import'

/** `orrery import KIND NAME`: a manifest that adopts what exists without changing it. */
export async function importObject(
  shell: Shell,
  target: { readonly kind: string; readonly name: string },
  options: ImportOptions,
): Promise<ExitCode> {
  const given = parseAssignments(options.set, shell.program)
  return await withSession(shell, options, async (session) => {
    const resource = resolveResource(session.resources, target.kind, shell)
    const schema = await schemaOf(session, resource)
    const base: Omit<ManifestOptions, 'forProvider' | 'mode'> = {
      resource,
      name: target.name,
      namespace: session.namespace,
      externalName: options.externalName,
      providerConfig: configOf(session, resource, options.providerConfig),
    }
    const existing = await existingObject(session, base)
    await requireManager(session)
    const observed =
      existing === undefined
        ? await observeThrough(session, { ...base, forProvider: given, mode: 'observe' }, options)
        : await untilObserved(session, { resource, name: target.name }, options)
    const forProvider = fillForProvider(schema, observed, given)
    const mode = options.observeOnly === true ? 'observe' : 'adopt'
    const manifest = manifestOf({ ...base, forProvider, mode })
    const write = { fieldManager: FIELD_MANAGER, force: true, signal: shell.signal }
    await session.connection.client.apply(kindOf(resource), manifest, { ...write, dryRun: true })
    const unnamed = mode === 'adopt' ? unnamedSecrets(schema, manifest) : []
    if (options.apply !== true) {
      // The manifest itself, and nothing around it: it is meant for kubectl.
      const isJson = options.output === 'json'
      shell.out.write(isJson ? `${stringifyJson(manifest, { indent: 2 })}\n` : formatYaml(manifest))
      for (const field of unnamed) shell.err.write(`warning: ${secretMessage(field)}\n`)
      shell.err.write(`Nothing is changed yet. To apply it, add --apply, or pipe it into: kubectl apply -f -\n`)
      return exitCodes.done
    }
    const [field] = unnamed
    if (field !== undefined && options.newSecrets !== true) throw refusal(field, shell)
    await session.connection.client.apply(kindOf(resource), manifest, write)
    return await untilTaken(session, { resource, name: target.name, mode, manifest }, options)
  })
}

async function schemaOf({ connection, resources, shell }: Session, resource: DiscoveredResource): Promise<ForProvider> {
  const { group, version } = resource
  const path = group === '' ? `/openapi/v3/api/${version}` : `/openapi/v3/apis/${group}/${version}`
  const schema = findForProvider(await connection.client.raw(path, { signal: shell.signal }), resource)
  if (schema !== undefined) return schema
  const kind = displayKind(resources, resource)
  throw new CliError(`${kind} is not a managed kind: it has no spec.forProvider, so there is nothing to import.`, {
    code: 'NotManaged',
    path: 'KIND',
    next: `${shell.program} status`,
  })
}

/** `NAME` or `KIND/NAME`, where KIND is ProviderConfig or ClusterProviderConfig. */
function configOf(
  { resources, shell }: Session,
  { group }: DiscoveredResource,
  word: string | undefined,
): ManifestOptions['providerConfig'] {
  if (word === undefined) return undefined
  const [name = '', kind] = word.split('/').toReversed()
  if (kind === undefined) return { name }
  const found = resolveResource(resources, kind.includes('.') ? kind : `${kind}.${group}`, shell)
  const isServed = findResource(resources, { group, kind: found.kind }) !== undefined
  if (isServed && found.kind.endsWith('ProviderConfig')) return { name, kind: found.kind }
  throw new CliError(`"${word}" is not a ProviderConfig or ClusterProviderConfig of ${group}.`, {
    code: 'InvalidArgument',
    path: '--provider-config',
    next: `${shell.program} status --kind providerconfigs.${group}`,
  })
}

/** An object of this name may be there already when it only observes the same thing. */
async function existingObject(
  session: Session,
  { resource, name, namespace, externalName }: Omit<ManifestOptions, 'forProvider' | 'mode'>,
): Promise<Item | undefined> {
  const found = await session.connection.client.find(
    kindOf(resource),
    { namespace, name },
    { signal: session.shell.signal },
  )
  if (found === undefined) return undefined
  const item = readItem(resource, found)
  const policies = item.spec['managementPolicies']
  const isObserving = Array.isArray(policies) && policies.every((policy) => policy === 'Observe')
  if (isObserving && item.annotations['orrery.dev/external-name'] === externalName) return item
  const object = `${displayKind(session.resources, resource)}/${name}`
  throw new CliError(
    `${object} exists in namespace ${namespace} already, and does more than observe ${externalName}.`,
    {
      code: 'AlreadyExists',
      object,
      next: `${session.shell.program} why ${object} -n ${namespace}`,
    },
  )
}

async function requireManager({ connection, shell }: Session): Promise<void> {
  const lease = await connection.client.find(leases, MANAGER_LEASE, { signal: shell.signal })
  const judged = judgeLease(lease, shell.clock.now() + (connection.clockOffsetMs() ?? 0))
  if (judged.isAlive) return
  throw new CliError(`The live state is read by a manager, and ${judged.message}.`, {
    code: 'NoManager',
    next: `${shell.program} doctor`,
  })
}

/** Reads the live state through an object that only observes and goes again, whatever happens. */
async function observeThrough(session: Session, options: ManifestOptions, how: ImportOptions): Promise<Fields> {
  const { connection, shell } = session
  const name = `${options.name.slice(0, 200)}-import-${shell.random.uuid().slice(0, 8)}`
  const { metadata, ...rest } = manifestOf({ ...options, name })
  const probe: Manifest = { ...rest, metadata: { ...metadata, labels: { [IMPORT_LABEL]: 'true' } } }
  const kind = kindOf(options.resource)
  try {
    await connection.client.create<KubeObject>(kind, probe, { fieldManager: FIELD_MANAGER, signal: shell.signal })
  } catch (error) {
    if (!isInvalid(error) || !(error instanceof ApiError)) throw error
    throw new CliError(`What is known of it is not enough to look at it: ${error.message}`, {
      code: 'Invalid',
      path: error.details?.causes?.find(({ field }) => field !== undefined)?.field ?? 'spec.forProvider',
      cause: error,
      next: `${shell.program} import … --set FIELD=VALUE   (fields: kubectl explain ${options.resource.plural}.spec.forProvider --api-version=${options.resource.group}/${options.resource.version})`,
    })
  }
  try {
    return await untilObserved(session, { resource: options.resource, name }, how)
  } finally {
    await connection.client.delete(kind, { namespace: options.namespace, name })
  }
}

interface Target {
  readonly resource: DiscoveredResource
  readonly name: string
}

async function untilObserved(session: Session, target: Target, how: ImportOptions): Promise<Fields> {
  return await waitFor(session, target, {
    how,
    doing: `Nothing was observed under the external name ${how.externalName}`,
    look: (item) => {
      const { state, reason, message } = assess(item)
      if (reason === 'NotFound') {
        throw new CliError(
          `There is no ${target.resource.kind} with the external name ${how.externalName}: ${message}`,
          {
            code: 'ExternalNotFound',
            path: '--external-name',
            next: `kubectl explain ${target.resource.plural}.spec --api-version=${target.resource.group}/${target.resource.version}`,
          },
        )
      }
      const { atProvider } = item.status
      return state !== 'pending' && isFields(atProvider) ? atProvider : undefined
    },
  })
}

async function untilTaken(
  session: Session,
  target: Target & { readonly mode: 'observe' | 'adopt'; readonly manifest: Manifest },
  how: ImportOptions,
): Promise<ExitCode> {
  const { shell, resources } = session
  const object = `${displayKind(resources, target.resource)}/${target.name}`
  const assessment = await waitFor(session, target, {
    how,
    doing: `${object} was applied, and is not taken up`,
    look: (item) => {
      const assessed = assess(item)
      const isTaken = target.mode === 'observe' || item.external !== undefined
      return isTaken && assessed.state !== 'pending' && assessed.state !== 'waiting' ? assessed : undefined
    },
  })
  const isSame = assessment.state === 'ready'
  const verb = target.mode === 'adopt' ? 'adopted' : 'observed'
  const format = machineFormat(how)
  const { state, reason, message } = assessment
  const next = isSame ? undefined : `${shell.program} why ${object} -n ${session.namespace}`
  if (format !== undefined) {
    writeDocument(shell.out, format, {
      kind: 'Import',
      object,
      [verb]: true,
      state,
      reason,
      message,
      next,
      manifest: target.manifest,
    })
  } else if (isSame) shell.out.write(`${object} is ${verb}; nothing differs.\n`)
  else shell.out.write(`${object} is ${verb}, and ${state}: ${oneLine(message)}\n  next     ${next}\n`)
  return isSame ? exitCodes.done : exitCodes.difference
}

async function waitFor<T>(
  session: Session,
  { resource, name }: Target,
  wait: {
    readonly how: ImportOptions
    readonly doing: string
    readonly look: (item: Item) => T | undefined
  },
): Promise<T> {
  const { connection, shell, namespace } = session
  const endMono = shell.clock.mono() + wait.how.timeout * 1000
  for (;;) {
    const found = await connection.client.get(kindOf(resource), { namespace, name }, { signal: shell.signal })
    const item = readItem(resource, found)
    const seen = wait.look(item)
    if (seen !== undefined) return seen
    if (shell.clock.mono() >= endMono) {
      const { reason, message } = assess(item)
      throw new CliError(`${wait.doing} within ${wait.how.timeout} s. ${reason}: ${message}`, {
        code: 'Timeout',
        exitCode: exitCodes.timeout,
        next: `${shell.program} doctor`,
      })
    }
    await sleep(shell.clock, POLL_MS, shell.signal)
  }
}

/** Secrets that cannot be read from outside, and are made anew unless they are named. */
function unnamedSecrets(schema: ForProvider, { spec }: Manifest): readonly string[] {
  const given = fieldsOf(spec['forProvider'])
  return Object.keys(schema.properties).filter((field) => field.endsWith('SecretRef') && !Object.hasOwn(given, field))
}

const secretMessage = (field: string) =>
  `spec.forProvider.${field} is not set. A secret cannot be read from outside, so adopting may set a new one; name the present one with --set ${field}.name=SECRET.`

function refusal(field: string, shell: Shell): CliError {
  return new CliError(`Nothing was applied: ${secretMessage(field)} If a new one is fine, say --new-secrets.`, {
    code: 'WouldChange',
    path: `spec.forProvider.${field}`,
    exitCode: exitCodes.denied,
    next: `kubectl create secret generic NAME --from-literal=password=…; ${shell.program} import … --set ${field}.name=NAME --apply`,
  })
}
