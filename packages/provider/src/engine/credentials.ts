import { createHash, createHmac } from 'node:crypto'
import type { Random, Secret } from '@orrery/api'
import { isAlreadyExists, secrets } from '@orrery/api'
import type { CredentialDefinition } from '../kind.ts'
import type { ManagedObject } from '../managed.ts'
import { isObserveOnly } from '../managed.ts'
import type { EngineWorld, KindEntry } from './registry.ts'
import type { Session } from './session.ts'
import { FIELD_MANAGER } from './session.ts'

/**
 * Secret values that a kind needs: given by the user in a Secret, or made here. A generated value is durable
 * in a Secret of the object before the first call that uses it. What is in effect outside is known by a
 * keyed hash in status; a value whose hash differs is a difference like any other.
 */
export type Credentials =
  | {
      readonly state: 'ready'
      readonly values: Readonly<Record<string, string>>
      readonly hashes: Readonly<Record<string, string>>
    }
  | { readonly state: 'waiting'; readonly message: string }

const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789'
const MAX_NAME_LENGTH = 253

/** Keyed, so that a short secret cannot be found by trying. Bound to the object and the use. */
export function hashSecret(key: Uint8Array, use: string, value: string): string {
  return createHmac('sha256', key).update(`${use}\0${value}`).digest('base64url').slice(0, 32)
}

/** The Secret that holds what was generated for an object. */
export function credentialSecretName(entry: Pick<KindEntry, 'kind'>, objectName: string): string {
  const name = `orrery-${entry.kind.plural}-${objectName}`
  if (name.length <= MAX_NAME_LENGTH) return name
  return `orrery-${createHash('sha256').update(name).digest('hex').slice(0, 40)}`
}

export async function resolveCredentials(
  session: Session,
  desired: Readonly<Record<string, unknown>>,
): Promise<Credentials> {
  const { entry, world, object } = session
  const values: Record<string, string> = {}
  const hashes: Record<string, string> = {}
  for (const [name, definition] of Object.entries(entry.definition.credentials ?? {})) {
    if (definition.when?.(desired) === false) continue
    const given = definition.from === undefined ? undefined : secretReference(desired[definition.from])
    const value =
      given === undefined
        ? await generated(session, { name, definition, desired })
        : readSecret(world, object, { name: given.name, key: given.key ?? definition.key })
    if (value === undefined) continue
    if (typeof value !== 'string') return value
    values[name] = value
    hashes[name] = hashSecret(world.hashKey, `${object.metadata.uid ?? ''}/${name}`, value)
  }
  return { state: 'ready', values, hashes }
}

type Missing = { readonly state: 'waiting'; readonly message: string }

function readSecret(
  world: EngineWorld,
  object: ManagedObject,
  at: { readonly name: string; readonly key: string },
): string | Missing {
  const secret = world.secrets.get({ namespace: object.metadata.namespace ?? '', name: at.name })
  const encoded = secret?.data?.[at.key]
  if (encoded !== undefined) return decode(encoded)
  const message = secret === undefined ? `Secret ${at.name} does not exist.` : `Secret ${at.name} has no key ${at.key}.`
  return { state: 'waiting', message }
}

interface Generation {
  readonly name: string
  readonly definition: CredentialDefinition<unknown>
  readonly desired: Readonly<Record<string, unknown>>
}

const rotationKey = (name: string) => `${name}.rotation`

async function generated(session: Session, wanted: Generation): Promise<string | Missing | undefined> {
  const { world, object, entry } = session
  const { definition, name } = wanted
  if (definition.generate === undefined) return undefined
  const namespace = object.metadata.namespace ?? ''
  const secretName = credentialSecretName(entry, object.metadata.name)
  // Straight from the server: a generation must never rest on a view that misses an earlier one.
  const known = world.secrets.get({ namespace, name: secretName })
  const current =
    known ?? (await world.client.find(secrets, { namespace, name: secretName }, { signal: session.signal }))
  if (current !== undefined && !isOwnedBy(current, object)) {
    return {
      state: 'waiting',
      message: `Secret ${secretName} exists and does not belong to this object; delete or rename it.`,
    }
  }
  const rotation = definition.rotateOn?.(wanted.desired) ?? ''
  const stored = current?.data?.[definition.key]
  if (stored !== undefined && decode(current?.data?.[rotationKey(name)] ?? '') === rotation) return decode(stored)
  // Nobody makes up a secret for what is only looked at, or is going: it could not come into effect.
  if (session.deleting || isObserveOnly(object.spec)) return stored === undefined ? undefined : decode(stored)
  const value = randomText(world.random, definition.generate.length)
  const data = { ...current?.data, [definition.key]: encode(value), [rotationKey(name)]: encode(rotation) }
  await storeGenerated(session, { secretName, current, data })
  return value
}

async function storeGenerated(
  session: Session,
  input: {
    readonly secretName: string
    readonly current: Secret | undefined
    readonly data: Readonly<Record<string, string>>
  },
): Promise<void> {
  const { world, object } = session
  const options = { fieldManager: FIELD_MANAGER, signal: session.signal }
  if (input.current !== undefined) {
    await world.client.update(secrets, { ...input.current, data: input.data }, options)
    return
  }
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: input.secretName,
      namespace: object.metadata.namespace ?? '',
      labels: { 'app.kubernetes.io/managed-by': 'orrery' },
      ownerReferences: [ownerReference(object)],
    },
    type: 'Opaque',
    data: input.data,
  }
  await world.client.create(secrets, secret, options)
}

/**
 * The login of an object as others may use it: only what is known to be in effect outside, so that nobody
 * publishes a password that is about to be set.
 */
export function effectiveConnection(
  world: EngineWorld,
  entry: KindEntry,
  object: ManagedObject,
): Readonly<Record<string, string>> | undefined {
  const definitions = Object.entries(entry.definition.credentials ?? {})
  if (definitions.length === 0) return undefined
  const values: Record<string, string> = {}
  for (const [name, definition] of definitions) {
    const given = definition.from === undefined ? undefined : secretReference(object.spec.forProvider[definition.from])
    const secretName = given?.name ?? credentialSecretName(entry, object.metadata.name)
    const secret = world.secrets.get({ namespace: object.metadata.namespace ?? '', name: secretName })
    const encoded = secret?.data?.[given?.key ?? definition.key]
    if (encoded === undefined) continue
    const value = decode(encoded)
    const inEffect = object.status?.credentialHashes?.[name]
    if (inEffect !== hashSecret(world.hashKey, `${object.metadata.uid ?? ''}/${name}`, value)) return undefined
    values[name] = value
  }
  return Object.keys(values).length === 0 ? undefined : values
}

/** Reads the key of all hashes, made once per hub. Two managers that start together agree on the first. */
export async function ensureHashKey(options: {
  readonly client: EngineWorld['client']
  readonly random: Random
  readonly namespace: string
}): Promise<Uint8Array> {
  const { client, random, namespace } = options
  const key = { namespace, name: 'orrery-hash-key' }
  const existing = await client.find(secrets, key)
  if (existing?.data?.['key'] !== undefined) return Buffer.from(existing.data['key'], 'base64')
  const bytes = random.bytes(32)
  try {
    await client.create(
      secrets,
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...key, labels: { 'app.kubernetes.io/managed-by': 'orrery' } },
        type: 'orrery.dev/hash-key',
        data: { key: Buffer.from(bytes).toString('base64') },
      },
      { fieldManager: FIELD_MANAGER },
    )
    return bytes
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return ensureHashKey(options) // Another manager made it first; read theirs.
  }
}

export function ownerReference(object: ManagedObject) {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name: object.metadata.name,
    uid: object.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: false,
  }
}

export function isOwnedBy(secret: Secret, object: ManagedObject): boolean {
  return (
    secret.metadata.ownerReferences?.some((owner) => owner.uid === object.metadata.uid && owner.controller === true) ===
    true
  )
}

/** `{ name, key? }` of a Secret, or undefined. */
export function secretReference(value: unknown): { readonly name: string; readonly key?: string } | undefined {
  if (typeof value !== 'object' || value === null || !('name' in value) || typeof value.name !== 'string')
    return undefined
  return 'key' in value && typeof value.key === 'string' ? { name: value.name, key: value.key } : { name: value.name }
}

/** No modulo bias: bytes beyond the last whole multiple of the alphabet are drawn again. */
function randomText(random: Random, length: number): string {
  const limit = 256 - (256 % ALPHABET.length)
  let text = ''
  while (text.length < length) {
    for (const byte of random.bytes(length)) {
      if (byte < limit && text.length < length) text += ALPHABET[byte % ALPHABET.length]
    }
  }
  return text
}

export const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64')
export const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')
