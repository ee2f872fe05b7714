import { setTimeout as delay } from 'node:timers/promises'
import type { Kind, ObjectKey } from '@orrery/api'
import { ApiError, isAlreadyExists, isConflict, isNotFound } from '@orrery/api'
import type { Client } from '@orrery/client'
import { ConnectionError } from '@orrery/client'
import type { ManagedObject } from '@orrery/provider'

/** What users do during a campaign, and what they were told: the ledger. */

export const NAMESPACE = 'campaign'
const GROUP = 'postgresql.orrery.dev'
const RETRY_MS = 50
/** Users at work at the same time. */
const WRITERS = 8

export type KindName = keyof typeof KINDS
export const KINDS = {
  Instance: kindOf('Instance', 'instances'),
  ProviderConfig: kindOf('ProviderConfig', 'providerconfigs'),
  Role: kindOf('Role', 'roles'),
  Database: kindOf('Database', 'databases'),
  Grant: kindOf('Grant', 'grants'),
} as const

function kindOf(name: string, plural: string): Kind<ManagedObject> {
  return { group: GROUP, version: 'v1alpha1', kind: name, plural, singular: name.toLowerCase(), namespaced: true }
}

/** What the API acknowledged last about one triple of role, database and grant. */
export interface Promised {
  readonly state: 'present' | 'deleted'
  readonly connectionLimit: number
}

export class Workload {
  readonly #client: Client
  readonly #random: { next(): number; integer(from: number, to: number): number }
  readonly ledger = new Map<string, Promised>()

  constructor(client: Client, random: Workload['random']) {
    this.#client = client
    this.#random = random
  }

  get random() {
    return this.#random
  }

  /** Makes `count` roles, databases and grants; changes a third of them and deletes another. */
  async run(count: number): Promise<void> {
    const names = Array.from({ length: count }, (_, index) => `app-${String(index).padStart(3, '0')}`)
    const next = names.values()
    await Promise.all(Array.from({ length: WRITERS }, async () => await this.#write(next)))
  }

  async #write(names: IteratorObject<string>): Promise<void> {
    for (const name of names) {
      const connectionLimit = this.random.integer(1, 50)
      await this.#create('Role', name, { connectionLimit })
      await this.#create('Database', name, { ownerRef: { name } })
      await this.#create('Grant', name, { roleRef: { name: 'reader' }, databaseRef: { name }, privileges: ['CONNECT'] })
      this.ledger.set(name, { state: 'present', connectionLimit })
      const fate = this.random.next()
      if (fate < 1 / 3) await this.#remove(name, connectionLimit)
      else if (fate < 2 / 3) await this.#change(name, this.random.integer(51, 99))
    }
  }

  async #create(kind: KindName, name: string, forProvider: Readonly<Record<string, unknown>>): Promise<void> {
    await insist(async () => {
      try {
        await this.#client.create(KINDS[kind], managed(kind, name, { forProvider }), { fieldManager: 'user' })
      } catch (error) {
        // An earlier try may have been taken and its answer lost; nobody else uses these names.
        if (!isAlreadyExists(error)) throw error
      }
    })
  }

  async #change(name: string, connectionLimit: number): Promise<void> {
    const body = { spec: { forProvider: { connectionLimit } } }
    await insist(async () => await this.#client.patch(KINDS.Role, keyOf(name), { type: 'merge', body }))
    this.ledger.set(name, { state: 'present', connectionLimit })
  }

  async #remove(name: string, connectionLimit: number): Promise<void> {
    for (const kind of ['Role', 'Grant', 'Database'] as const) {
      await insist(async () => {
        try {
          await this.#client.delete(KINDS[kind], keyOf(name))
        } catch (error) {
          if (!isNotFound(error)) throw error // An earlier try was taken.
        }
      })
    }
    this.ledger.set(name, { state: 'deleted', connectionLimit })
  }
}

export const keyOf = (name: string): ObjectKey => ({ namespace: NAMESPACE, name })

export function managed(kind: KindName, name: string, spec: Readonly<Record<string, unknown>>): ManagedObject {
  const reaches = kind === 'Role' || kind === 'Database' || kind === 'Grant'
  const reference = reaches ? { providerConfigRef: { name: 'pg' } } : {}
  const object: unknown = {
    apiVersion: `${GROUP}/v1alpha1`,
    kind,
    metadata: { name, namespace: NAMESPACE },
    spec: { ...reference, ...spec },
  }
  return object as ManagedObject
}

/** What a script around kubectl does: again until the API has answered. What it refuses is an error. */
export async function insist<T>(request: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await request()
    } catch (error) {
      const again =
        error instanceof ConnectionError || isConflict(error) || (error instanceof ApiError && error.code >= 500)
      if (!again) throw error
      await delay(RETRY_MS)
    }
  }
}
