import type { World } from './simulation.ts'
import { managedWorld } from './worlds/managed.ts'
import { storeWorld } from './worlds/store.ts'

/** Every world that `npm run simulate` runs. One line each. */
export const worlds: readonly World[] = [storeWorld, managedWorld]
