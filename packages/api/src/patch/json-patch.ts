import {
  cloneJson,
  equalJson,
  getKey,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  type MutableJsonObject,
  setKey,
} from '../json/json.ts'
import { stringifyJson } from '../json/stringify.ts'
import { PatchError } from './patch-error.ts'

/** As many operations as Kubernetes allows. */
const maxOperations = 10_000
/** What all `copy` operations of one patch may copy together: a few of them can double an object each. */
const maxCopiedLength = 3 * 1024 * 1024
/** A path deeper than any body may be would build one that nothing can walk. */
const maxPathSegments = 500

/** RFC 6902 with Kubernetes' limits (10,000 operations). Returns a new value; the input is not changed. Throws {@link PatchError}. */
export function applyJsonPatch(target: Json, patch: Json): Json {
  const operations = parseOperations(patch)
  const document = new Document(cloneJson(target))
  for (const operation of operations) document.apply(operation)
  return document.root
}

interface Operation {
  readonly op: string
  readonly path: readonly string[]
  readonly source: JsonObject
}

function parseOperations(patch: Json): readonly Operation[] {
  if (!isJsonArray(patch)) throw malformed(`${kindOf(patch)} into Go value of type []handlers.jsonPatchOp`)
  if (patch.length > maxOperations) {
    const limit = `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`
    throw new PatchError('too-large', `Request entity too large: ${limit}`)
  }
  return patch.map((source) => {
    if (!isJsonObject(source)) throw malformed(`${kindOf(source)} into Go value of type handlers.jsonPatchOp`)
    const op = getKey(source, 'op')
    if (typeof op !== 'string') throw inapplicable('an operation has no "op"')
    return { op, path: parsePointer(getKey(source, 'path'), 'path'), source }
  })
}

const malformed = (what: string): PatchError =>
  new PatchError('malformed', `error decoding patch: json: cannot unmarshal ${what}`)
const inapplicable = (why: string): PatchError =>
  new PatchError('inapplicable', `the JSON patch cannot be applied: ${why}`)

const kindOf = (value: Json): string => (value === null ? 'null' : isJsonArray(value) ? 'array' : typeof value)

/** RFC 6901: `~1` is `/`, `~0` is `~`, nothing else may follow a tilde. */
function parsePointer(value: Json | undefined, name: string): readonly string[] {
  if (typeof value !== 'string') throw inapplicable(`an operation has no "${name}"`)
  if (value === '') return []
  if (!value.startsWith('/')) throw inapplicable(`the ${name} ${JSON.stringify(value)} does not start with /`)
  if (/~(?![01])/.test(value))
    throw inapplicable(`the ${name} ${JSON.stringify(value)} holds a tilde that is neither ~0 nor ~1`)
  const segments = value.slice(1).split('/')
  if (segments.length > maxPathSegments) throw inapplicable(`the ${name} has more than ${maxPathSegments} segments`)
  return segments.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}

const formatPointer = (path: readonly string[]): string =>
  path.map((segment) => `/${segment.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

const isMutableArray = (value: Json): value is Json[] => Array.isArray(value)
const isMutableObject = (value: Json): value is MutableJsonObject => isJsonObject(value)

/** The copy that operations change, one after the other. */
class Document {
  root: Json
  #copiedLength = 0

  constructor(root: Json) {
    this.root = root
  }

  apply({ op, path, source }: Operation): void {
    if (op === 'add') this.#add(path, cloneJson(valueOf(source)))
    else if (op === 'remove') this.#remove(path)
    else if (op === 'replace') this.#replace(path, cloneJson(valueOf(source)))
    else if (op === 'test') this.#test(path, valueOf(source))
    else if (op === 'move') this.#move(parsePointer(getKey(source, 'from'), 'from'), path)
    else if (op === 'copy') this.#add(path, this.#copyOf(parsePointer(getKey(source, 'from'), 'from')))
    else throw inapplicable(`the operation ${JSON.stringify(op)} does not exist`)
  }

  #get(path: readonly string[]): Json {
    let value = this.root
    for (const [depth, segment] of path.entries()) {
      const member = memberOf(value, segment)
      if (member === undefined) throw missing(path.slice(0, depth + 1))
      value = member
    }
    return value
  }

  #parentOf(path: readonly string[]): { readonly parent: Json; readonly last: string } {
    return { parent: this.#get(path.slice(0, -1)), last: path.at(-1) ?? '' }
  }

  #add(path: readonly string[], value: Json): void {
    if (path.length === 0) {
      this.root = value
      return
    }
    const { parent, last } = this.#parentOf(path)
    if (isMutableArray(parent)) {
      const index = last === '-' ? parent.length : indexOf(last)
      if (index === undefined || index > parent.length) throw missing(path)
      parent.splice(index, 0, value)
    } else if (isMutableObject(parent)) setKey(parent, last, value)
    else throw missing(path)
  }

  #remove(path: readonly string[]): void {
    if (path.length === 0) throw inapplicable('the whole document cannot be removed')
    const { parent, last } = this.#parentOf(path)
    if (memberOf(parent, last) === undefined) throw missing(path)
    if (isMutableArray(parent)) parent.splice(Number(last), 1)
    else if (isMutableObject(parent)) removeKey(parent, last)
  }

  #replace(path: readonly string[], value: Json): void {
    if (path.length === 0) {
      this.root = value
      return
    }
    const { parent, last } = this.#parentOf(path)
    if (memberOf(parent, last) === undefined) throw missing(path)
    if (isMutableArray(parent)) parent[Number(last)] = value
    else if (isMutableObject(parent)) setKey(parent, last, value)
  }

  #test(path: readonly string[], value: Json): void {
    if (!equalJson(this.#get(path), value))
      throw inapplicable(`the test of ${JSON.stringify(formatPointer(path))} failed`)
  }

  #move(from: readonly string[], path: readonly string[]): void {
    if (path.length > from.length && from.every((segment, depth) => segment === path[depth])) {
      throw inapplicable(`${JSON.stringify(formatPointer(from))} cannot be moved into itself`)
    }
    const value = this.#get(from)
    if (from.length === 0) return
    this.#remove(from)
    this.#add(path, value)
  }

  #copyOf(from: readonly string[]): Json {
    const value = this.#get(from)
    this.#copiedLength += stringifyJson(value).length
    if (this.#copiedLength > maxCopiedLength) {
      throw inapplicable(`its copy operations copy more than ${maxCopiedLength} bytes together`)
    }
    return cloneJson(value)
  }
}

function removeKey(object: MutableJsonObject, key: string): void {
  delete object[key]
}

function valueOf(source: JsonObject): Json {
  const value = getKey(source, 'value')
  if (value === undefined) throw inapplicable('an operation has no "value"')
  return value
}

const missing = (path: readonly string[]): PatchError =>
  inapplicable(`there is nothing at ${JSON.stringify(formatPointer(path))}`)

function memberOf(value: Json, segment: string): Json | undefined {
  if (isJsonArray(value)) {
    const index = indexOf(segment)
    return index === undefined ? undefined : value[index]
  }
  return isJsonObject(value) ? getKey(value, segment) : undefined
}

/** Decimal without sign or leading zero; longer than any list is no index at all. */
function indexOf(segment: string): number | undefined {
  return /^(?:0|[1-9][0-9]{0,8})$/.test(segment) ? Number(segment) : undefined
}
