import { isJsonObject, JsonError, type JsonObject } from '../json/json.ts'
import { parseJson } from '../json/parse.ts'
import { stringifyJson } from '../json/stringify.ts'
import { compareObjects } from './compare.ts'
import type { FieldSet } from './field-set.ts'
import type { MapType } from './field-type.ts'
import { fieldSetOf } from './typed-value.ts'

/** What client-side `kubectl apply` leaves behind, and how its fields pass to server-side apply. */
const annotation = 'kubectl.kubernetes.io/last-applied-configuration'

/** All annotations of an object together; a larger copy of the configuration is not kept. */
const maxAnnotationLength = 256 * 1024

/** The fields of the last client-side apply whose live values are still the applied ones. */
export function lastAppliedFields(options: {
  readonly type: MapType
  readonly live: JsonObject
  readonly apiVersion: string
}): FieldSet | undefined {
  const { type, live } = options
  const config = parseConfig(annotationOf(live))
  if (config === undefined || config['apiVersion'] !== options.apiVersion) return undefined
  const { modified, added, removed } = compareObjects(type, config, live)
  return fieldSetOf(type, config).difference(modified).difference(added).difference(removed)
}

/** Keeps the annotation true where the live object has one: it must name what is applied now. */
export function withLastApplied(object: JsonObject, live: JsonObject, config: JsonObject): JsonObject {
  if (annotationOf(live) === undefined) return object
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {}
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {}
  const text = `${stringifyJson(withoutAnnotation(config))}\n`
  const { [annotation]: _, ...others } = annotations
  const next = text.length > maxAnnotationLength ? others : { ...others, [annotation]: text }
  return { ...object, metadata: { ...metadata, annotations: next } }
}

function annotationOf(object: JsonObject): string | undefined {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {}
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {}
  const text = Object.hasOwn(annotations, annotation) ? annotations[annotation] : undefined
  return typeof text === 'string' && text !== '' ? text : undefined
}

function parseConfig(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined
  try {
    const { value } = parseJson(text)
    return isJsonObject(value) ? value : undefined
  } catch (error) {
    // Anybody can write the annotation; one that cannot be read inherits nothing.
    if (error instanceof JsonError) return undefined
    throw error
  }
}

function withoutAnnotation(config: JsonObject): JsonObject {
  const metadata = config['metadata']
  if (!isJsonObject(metadata) || !isJsonObject(metadata['annotations'])) return config
  const { [annotation]: _, ...annotations } = metadata['annotations']
  return { ...config, metadata: { ...metadata, annotations } }
}
