import { customResourceDefinitions } from '@orrery/api'
import type { Session } from './session.ts'

/**
 * Whether the object is going because its kind is: an API server deletes all objects of a
 * CustomResourceDefinition that is deleted. That is nobody's wish to destroy what they stand for.
 */
export async function isKindEnding(session: Session): Promise<boolean> {
  const { kind } = session.entry
  const name = `${kind.plural}.${kind.group}`
  const found = await session.world.client.find(customResourceDefinitions, { name }, { signal: session.signal })
  return found === undefined || found.metadata.deletionTimestamp !== undefined
}
