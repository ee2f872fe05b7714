import type { JsonSchema } from '@orrery/api'
import { badRequest } from '../http/errors.ts'
import type { ServedResource } from './served-resource.ts'

/**
 * Refuses (400) integers beyond 64 bits where nothing else would: a field of type `integer` fails
 * validation by itself, a field of type `number` is a float, anywhere else the stored digits would differ
 * from those that were sent. `paths` is what the parser found.
 */
export function refuseRounded(paths: readonly string[] | undefined, { definition }: ServedResource): void {
  const path = paths?.find((candidate) => !isNumeric(typeAt(definition.schema, candidate)))
  if (path === undefined) return
  throw badRequest(`${path}: an integer beyond 64 bits would be rounded; send it as a string`)
}

const isNumeric = (type: string | undefined): boolean => type === 'integer' || type === 'number'

/** The type that a schema gives to `spec.items[0].size`; undefined where it says nothing. */
function typeAt(schema: JsonSchema, path: string): string | undefined {
  let node: JsonSchema | undefined = schema
  for (const [step] of path.matchAll(/\[\d+\]|[^.[\]]+/g)) {
    if (node === undefined) return undefined
    if (step.startsWith('[')) node = node.items
    else if (node.properties !== undefined && Object.hasOwn(node.properties, step)) node = node.properties[step]
    else node = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined
  }
  return node?.type
}
