import { type Json, JsonError, type JsonLimits, type MutableJsonObject, type ParsedJson, setKey } from './json.ts'

/** How many duplicate keys and rounded integers are reported; beyond that a client learns nothing new. */
const maxFindings = 100

const maxInt64 = 2n ** 63n - 1n
const minInt64 = -(2n ** 63n)
const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const whitespacePattern = /[ \t\n\r]*/y

/** The strict parser behind `parseJson`: finds duplicates, keeps int64 exact, and words faults as Go's `encoding/json` does. */
export function scanJson(text: string, limits: JsonLimits): ParsedJson {
  return new Scanner(text, limits).document()
}

/** An integer literal as the value space holds it; `rounded` is called when it does not fit int64. */
export function integerOf(digits: string, rounded: () => void): number | bigint {
  const number = Number(digits)
  if (Number.isSafeInteger(number)) return number
  const exact = BigInt(digits)
  if (exact >= minInt64 && exact <= maxInt64) return exact
  rounded()
  return number
}

class Scanner {
  readonly #text: string
  readonly #limits: JsonLimits
  readonly #path: (string | number)[] = []
  readonly #duplicates: string[] = []
  readonly #rounded: string[] = []
  #at = 0
  #nodes = 0

  constructor(text: string, limits: JsonLimits) {
    this.#text = text
    this.#limits = limits
  }

  document(): ParsedJson {
    this.#skipWhitespace()
    const value = this.#value()
    this.#skipWhitespace()
    if (this.#at < this.#text.length) throw this.#unexpected('after top-level value')
    const rounded = this.#rounded.length === 0 ? {} : { rounded: this.#rounded }
    return { value, duplicates: this.#duplicates, ...rounded }
  }

  #value(): Json {
    if (++this.#nodes > this.#limits.maxNodes) {
      throw new JsonError('too-large', `the body holds more than ${this.#limits.maxNodes} values; split it`)
    }
    switch (this.#text.charAt(this.#at)) {
      case '{':
        return this.#object()
      case '[':
        return this.#array()
      case '"':
        return this.#string()
      case 't':
        return this.#literal('true', true)
      case 'f':
        return this.#literal('false', false)
      case 'n':
        return this.#literal('null', null)
      default:
        return this.#number()
    }
  }

  #object(): Json {
    this.#enter()
    const object: MutableJsonObject = {}
    this.#skipWhitespace()
    for (let first = true; this.#text[this.#at] !== '}' || !first; first = false) {
      if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string')
      const key = this.#string()
      this.#checkKey(key)
      this.#path.push(key)
      if (Object.hasOwn(object, key)) this.#report(this.#duplicates)
      this.#skipWhitespace()
      if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key')
      this.#at++
      this.#skipWhitespace()
      setKey(object, key, this.#value())
      this.#path.pop()
      this.#skipWhitespace()
      const next = this.#text[this.#at]
      if (next === '}') break
      if (next !== ',') throw this.#unexpected('after object key:value pair')
      this.#at++
      this.#skipWhitespace()
    }
    this.#at++
    return object
  }

  #array(): Json {
    this.#enter()
    const items: Json[] = []
    this.#skipWhitespace()
    for (let first = true; this.#text[this.#at] !== ']' || !first; first = false) {
      this.#path.push(items.length)
      items.push(this.#value())
      this.#path.pop()
      this.#skipWhitespace()
      const next = this.#text[this.#at]
      if (next === ']') break
      if (next !== ',') throw this.#unexpected('after array element')
      this.#at++
      this.#skipWhitespace()
    }
    this.#at++
    return items
  }

  #enter(): void {
    this.#at++
    if (this.#path.length >= this.#limits.maxDepth) {
      throw new JsonError('too-deep', `the body is nested more than ${this.#limits.maxDepth} levels deep; flatten it`)
    }
  }

  #string(): string {
    const start = this.#at
    let escaped = false
    for (let i = start + 1; ; i++) {
      const code = this.#text.charCodeAt(i)
      if (Number.isNaN(code)) throw endOfInput()
      if (code === 0x22) {
        this.#at = i + 1
        break
      }
      if (code < 0x20) throw this.#unexpected('in string literal', i)
      if (code !== 0x5c) continue
      escaped = true
      i = this.#checkEscape(i + 1)
    }
    if (!escaped) return this.#text.slice(start + 1, this.#at - 1)
    const value: unknown = JSON.parse(this.#text.slice(start, this.#at))
    if (typeof value !== 'string' || !value.isWellFormed()) {
      throw new JsonError('encoding', `the string at offset ${start} escapes a lone surrogate, which is not Unicode`)
    }
    return value
  }

  /** Checks the escape whose letter is at `index` and returns the index of its last character. */
  #checkEscape(index: number): number {
    const letter = this.#text[index]
    if (letter === undefined) throw endOfInput()
    if (letter !== 'u') {
      if (!'"\\/bfnrt'.includes(letter)) throw this.#unexpected('in string escape code', index)
      return index
    }
    for (let i = index + 1; i <= index + 4; i++) {
      const digit = this.#text[i]
      if (digit === undefined) throw endOfInput()
      if (!/[0-9a-fA-F]/.test(digit)) throw this.#unexpected('in \\u hexadecimal character escape', i)
    }
    return index + 4
  }

  #literal<T extends Json>(word: string, value: T): T {
    for (let i = 0; i < word.length; i++) {
      if (this.#text[this.#at + i] === word[i]) continue
      throw this.#unexpected(`in literal ${word} (expecting '${word[i]}')`, this.#at + i)
    }
    this.#at += word.length
    return value
  }

  #number(): Json {
    numberPattern.lastIndex = this.#at
    const literal = numberPattern.exec(this.#text)?.[0]
    if (literal === undefined) {
      if (this.#text[this.#at] !== '-') throw this.#unexpected('looking for beginning of value')
      throw this.#unexpected('in numeric literal', this.#at + 1)
    }
    this.#at += literal.length
    const next = this.#text[this.#at]
    if (next === '.') throw this.#unexpected('after decimal point in numeric literal', this.#at + 1)
    if ((next === 'e' || next === 'E') && !/[eE]/.test(literal)) {
      throw this.#unexpected('in exponent of numeric literal', this.#at + 1)
    }
    if (/^-?[0-9]+$/.test(literal)) return integerOf(literal, () => this.#report(this.#rounded))
    const value = Number(literal)
    if (Number.isFinite(value)) return value
    throw new JsonError('number', `json: cannot unmarshal number ${literal} into Go value of type float64`)
  }

  #checkKey(key: string): void {
    if (key.length * 3 <= this.#limits.maxKeyBytes) return
    if (new TextEncoder().encode(key).length <= this.#limits.maxKeyBytes) return
    throw new JsonError('too-large', `a key is longer than ${this.#limits.maxKeyBytes} bytes; shorten it`)
  }

  #report(findings: string[]): void {
    if (findings.length < maxFindings) findings.push(formatPath(this.#path))
  }

  #skipWhitespace(): void {
    const code = this.#text.charCodeAt(this.#at)
    if (code > 0x20) return
    whitespacePattern.lastIndex = this.#at
    whitespacePattern.exec(this.#text)
    this.#at = whitespacePattern.lastIndex
  }

  #unexpected(where: string, index = this.#at): JsonError {
    const code = this.#text.codePointAt(index)
    if (code === undefined) return endOfInput()
    return new JsonError('syntax', `invalid character ${quoteCharacter(String.fromCodePoint(code))} ${where}`)
  }
}

/** `spec.items[0].name`: how Kubernetes names a place in a document. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}

function endOfInput(): JsonError {
  return new JsonError('syntax', 'unexpected end of JSON input')
}

function quoteCharacter(character: string): string {
  if (character === "'") return `'\\''`
  if (character === '"') return `'"'`
  return `'${JSON.stringify(character).slice(1, -1)}'`
}
