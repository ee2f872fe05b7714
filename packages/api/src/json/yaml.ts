import {
  DUMP_SCHEMA,
  defineScalarTag,
  dump,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from 'js-yaml'
import {
  cloneObject,
  defaultJsonLimits,
  isJsonArray,
  isJsonObject,
  type Json,
  JsonError,
  type JsonLimits,
  type JsonObject,
  type MutableJsonObject,
  type ParsedJson,
  setKey,
} from './json.ts'
import { decodeText } from './parse.ts'
import { formatPath } from './scanner.ts'
import { keyText, resolvePlain, resolveTagged } from './yaml-scalars.ts'

/** How many duplicate keys are reported. */
const maxDuplicates = 100

/** What a request body does not need; each can make a small text mean a lot, or something else than it seems. */
const maxPlainAliases = 10

export interface YamlOptions extends Partial<JsonLimits> {
  /** Refuses merge keys, a second document and more than ten aliases: what a server should not have to guess. */
  readonly plain?: boolean
}

/**
 * Parses the first document of YAML 1.1 as kubectl reads it (no timestamps), into the same value space and
 * limits as `parseJson`. Throws {@link JsonError}.
 */
export function parseYaml(source: Uint8Array | string, options: YamlOptions = {}): ParsedJson {
  const { plain = false, ...limits } = options
  const bounds = { ...defaultJsonLimits, ...limits }
  const text = decodeText(source, bounds)
  const events = readEvents(text, bounds)
  if (plain) checkPlain(text, events)
  const composer = new Composer(text, events, bounds)
  return composer.parsed(composer.next() ?? null)
}

function checkPlain(text: string, events: readonly Event[]): void {
  let aliases = 0
  let documents = 0
  for (const event of events) {
    if (event.type === EVENT_ID.ALIAS) aliases++
    else if (event.type === EVENT_ID.DOCUMENT) documents++
    else if (event.type === EVENT_ID.SCALAR && isMergeKey(text, event)) {
      throw new JsonError('syntax', 'yaml: merge keys (<<) are not read here; write the merged keys out')
    }
  }
  if (documents > 1) throw new JsonError('syntax', 'yaml: the body holds more than one document; send one each')
  if (aliases <= maxPlainAliases) return
  throw new JsonError(
    'too-large',
    `yaml: document contains excessive aliasing: more than ${maxPlainAliases} aliases; write the values out`,
  )
}

const isMergeKey = (text: string, { style, valueStart, valueEnd }: ScalarEvent): boolean =>
  style === SCALAR_STYLE.PLAIN && valueEnd - valueStart === 2 && text.startsWith('<<', valueStart)

/** All documents of a YAML stream (files given to the CLI); empty documents are skipped. */
export function parseYamlDocuments(source: string): readonly Json[] {
  const text = decodeText(source, { ...defaultJsonLimits, maxBytes: Number.POSITIVE_INFINITY })
  const composer = new Composer(text, readEvents(text, defaultJsonLimits), defaultJsonLimits)
  const documents: Json[] = []
  for (let value = composer.next(); value !== undefined; value = composer.next()) {
    if (value !== null) documents.push(value)
  }
  return documents
}

/** YAML for people: keys in their order, no aliases, multi-line strings as blocks. */
export function formatYaml(value: unknown): string {
  return dump(value, { schema: dumpSchema, noRefs: true, skipInvalid: true, lineWidth: -1, seqNoIndent: true })
}

const integers = DUMP_SCHEMA.lookupScalarTag('tag:yaml.org,2002:int')

/** Integers beyond 2^53 are written as plain digits too. */
const dumpSchema =
  integers === undefined
    ? DUMP_SCHEMA
    : DUMP_SCHEMA.withTags(
        defineScalarTag('tag:yaml.org,2002:int', {
          implicit: true,
          implicitFirstChars: integers.implicitFirstChars,
          resolve: integers.resolve,
          identify: (data) => typeof data === 'bigint' || integers.identify(data),
          represent: String,
        }),
      )

function readEvents(text: string, limits: JsonLimits): readonly Event[] {
  try {
    return parseEvents(text, { maxDepth: limits.maxDepth })
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error
    throw new JsonError(/depth/i.test(error.reason) ? 'too-deep' : 'syntax', `yaml: ${error.toString(true)}`)
  }
}

/** Builds JSON values from parser events; aliases are copied, so the value is a tree, and every copy counts. */
class Composer {
  readonly #text: string
  readonly #events: readonly Event[]
  readonly #limits: JsonLimits
  readonly #duplicates: string[] = []
  readonly #duplicateLines: string[] = []
  readonly #rounded: string[] = []
  readonly #path: (string | number)[] = []
  #anchors = new Map<string, Json>()
  #at = 0
  #nodes = 0

  constructor(text: string, events: readonly Event[], limits: JsonLimits) {
    this.#text = text
    this.#events = events
    this.#limits = limits
  }

  parsed(value: Json): ParsedJson {
    return {
      value,
      duplicates: this.#duplicates,
      ...(this.#rounded.length === 0 ? {} : { rounded: this.#rounded }),
      ...(this.#duplicateLines.length === 0 ? {} : { duplicateLines: this.#duplicateLines }),
    }
  }

  /** The next document; undefined after the last one. */
  next(): Json | undefined {
    if (this.#events[this.#at]?.type !== EVENT_ID.DOCUMENT) return undefined
    this.#at++
    this.#anchors = new Map()
    const value = this.#isPop() ? null : this.#node()
    this.#at++
    return value
  }

  #isPop(): boolean {
    return this.#events[this.#at]?.type === EVENT_ID.POP
  }

  #node(): Json {
    const event = this.#events[this.#at++]
    if (event === undefined) throw new JsonError('syntax', 'yaml: unexpected end of the document')
    this.#count()
    switch (event.type) {
      case EVENT_ID.SCALAR:
        return this.#anchored(event, this.#scalar(event))
      case EVENT_ID.SEQUENCE:
        return this.#anchored(event, this.#sequence())
      case EVENT_ID.MAPPING:
        return this.#anchored(event, this.#mapping())
      case EVENT_ID.ALIAS:
        return this.#alias(this.#text.slice(event.anchorStart, event.anchorEnd))
      case EVENT_ID.DOCUMENT:
      case EVENT_ID.POP:
    }
    throw new JsonError('syntax', 'yaml: a value is missing')
  }

  #count(): void {
    if (++this.#nodes > this.#limits.maxNodes) {
      throw new JsonError(
        'too-large',
        `yaml: document contains more than ${this.#limits.maxNodes} values, aliases included`,
      )
    }
    if (this.#path.length > this.#limits.maxDepth) {
      throw new JsonError('too-deep', `yaml: document is nested more than ${this.#limits.maxDepth} levels deep`)
    }
  }

  #anchored(event: { readonly anchorStart: number; readonly anchorEnd: number }, value: Json): Json {
    if (event.anchorStart >= 0) this.#anchors.set(this.#text.slice(event.anchorStart, event.anchorEnd), value)
    return value
  }

  #alias(name: string): Json {
    const value = this.#anchors.get(name)
    if (value === undefined) throw new JsonError('syntax', `yaml: unknown anchor '${name}' referenced`)
    return this.#copy(value)
  }

  #copy(value: Json): Json {
    if (typeof value !== 'object' || value === null) return value
    this.#count()
    if (isJsonArray(value)) return value.map((item) => this.#copy(item))
    const copy: MutableJsonObject = {}
    for (const key of Object.keys(value)) setKey(copy, key, this.#copy(value[key] ?? null))
    return copy
  }

  #scalar(event: ScalarEvent): Json {
    const source = getScalarValue(this.#text, event)
    const rounded = () => this.#rounded.push(formatPath(this.#path))
    if (event.tagStart >= 0) return resolveTagged(this.#text.slice(event.tagStart, event.tagEnd), source, rounded)
    return event.style === SCALAR_STYLE.PLAIN ? resolvePlain(source, rounded) : source
  }

  #sequence(): Json {
    const items: Json[] = []
    while (!this.#isPop()) {
      this.#path.push(items.length)
      items.push(this.#node())
      this.#path.pop()
    }
    this.#at++
    return items
  }

  #mapping(): JsonObject {
    const object: MutableJsonObject = {}
    const merged: JsonObject[] = []
    while (!this.#isPop()) {
      const event = this.#events[this.#at]
      const isMerge = event?.type === EVENT_ID.SCALAR && isMergeKey(this.#text, event)
      const key = keyText(this.#node())
      this.#path.push(key)
      if (!isMerge && Object.hasOwn(object, key)) this.#reportDuplicate(key, event)
      const value = this.#node()
      this.#path.pop()
      if (isMerge) merged.push(...mergeSources(value))
      else setKey(object, key, value)
    }
    this.#at++
    return merged.length === 0 ? object : this.#merge(object, merged)
  }

  /** Merge keys fill what the mapping itself does not set; an earlier source wins over a later one. */
  #merge(object: MutableJsonObject, sources: readonly JsonObject[]): JsonObject {
    for (const source of sources) {
      for (const [key, value] of Object.entries(source)) {
        this.#count()
        if (!Object.hasOwn(object, key)) setKey(object, key, isJsonObject(value) ? cloneObject(value) : value)
      }
    }
    return object
  }

  #reportDuplicate(key: string, event: Event | undefined): void {
    if (this.#duplicates.length >= maxDuplicates || event?.type !== EVENT_ID.SCALAR) return
    this.#duplicates.push(formatPath(this.#path))
    const line = this.#text.slice(0, event.valueStart).split('\n').length
    this.#duplicateLines.push(`line ${line}: key ${JSON.stringify(key)} already set in map`)
  }
}

function mergeSources(value: Json): readonly JsonObject[] {
  const sources = isJsonArray(value) ? value : [value]
  return sources.map((source) => {
    if (isJsonObject(source)) return source
    throw new JsonError('syntax', 'yaml: map merge requires map or sequence of maps as the value')
  })
}
