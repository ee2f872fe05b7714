/** The grammar of label selectors, with the fault texts of Kubernetes' parser. */

/** Label and field selectors. Parsing throws {@link SelectorError} (HTTP 400). */
export class SelectorError extends Error {
  override readonly name = 'SelectorError'
}

/** One term of a label selector. */
export interface LabelRequirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | 'doesnotexist' | 'gt' | 'lt'
  readonly values: readonly string[]
}

type Token = { readonly kind: 'symbol' | 'word' | 'end'; readonly text: string }

const end: Token = { kind: 'end', text: '' }
const tokenPattern = /[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^=!(),<> \t\r\n]+))/y
const operators = 'in, notin, =, ==, !=, gt, lt'

/** The requirements in the order of the text; keys and values are not yet checked. */
export function parseRequirements(text: string): LabelRequirement[] {
  return new Parser(tokensOf(text)).parse()
}

/** Kubernetes' lexer ends at a NUL character; so does this one. */
function tokensOf(source: string): readonly Token[] {
  const [text = ''] = source.split('\0', 1)
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  for (let match = tokenPattern.exec(text); match !== null; match = tokenPattern.exec(text)) {
    const [, symbol, word = ''] = match
    tokens.push(symbol === undefined ? { kind: 'word', text: word } : { kind: 'symbol', text: symbol })
  }
  return tokens
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = []
    if (this.#peek().kind === 'end') return requirements
    for (;;) {
      const first = this.#peek()
      if (first.kind !== 'word' && first.text !== '!') {
        throw new SelectorError(`found '${first.text}', expected: !, identifier, or 'end of string'`)
      }
      requirements.push(this.#requirement())
      const separator = this.#next()
      if (separator.kind === 'end') return requirements
      if (separator.text !== ',') throw new SelectorError(`found '${separator.text}', expected: ',' or 'end of string'`)
      const after = this.#peek()
      if (after.kind !== 'word' && after.text !== '!') {
        throw new SelectorError(`found '${after.text}', expected: identifier after ','`)
      }
    }
  }

  #requirement(): LabelRequirement {
    const negated = this.#peek().text === '!'
    if (negated) this.#next()
    const key = this.#next()
    if (key.kind !== 'word') throw unexpected(key, ', expected: identifier')
    if (negated) return { key: key.text, operator: 'doesnotexist', values: [] }
    const operator = this.#peek()
    if (operator.kind === 'end' || operator.text === ',') return { key: key.text, operator: 'exists', values: [] }
    this.#next()
    switch (operator.text) {
      case 'in':
      case 'notin':
        return { key: key.text, operator: operator.text, values: this.#values() }
      case '=':
      case '==':
        return { key: key.text, operator: 'in', values: [this.#exactValue()] }
      case '!=':
        return { key: key.text, operator: 'notin', values: [this.#exactValue()] }
      case '>':
        return { key: key.text, operator: 'gt', values: [this.#exactValue()] }
      case '<':
        return { key: key.text, operator: 'lt', values: [this.#exactValue()] }
      default:
        throw unexpected(operator, `, expected: ${operators}`)
    }
  }

  #exactValue(): string {
    const token = this.#peek()
    if (token.kind === 'end' || token.text === ',') return ''
    if (token.kind !== 'word') throw unexpected(token, ', expected: identifier')
    return this.#next().text
  }

  /** `(a,b)`; an empty place between commas is the empty value. */
  #values(): readonly string[] {
    const open = this.#next()
    if (open.text !== '(') throw unexpected(open, " expected: '('")
    const values = new Set<string>()
    for (let expectsValue = true; ; ) {
      const token = this.#next()
      if (token.kind === 'word') {
        if (!expectsValue) throw unexpected(token, ", expected: ',' or ')'")
        values.add(token.text)
        expectsValue = false
      } else if (token.text === ',' || token.text === ')') {
        if (expectsValue) values.add('')
        if (token.text === ')') return [...values].toSorted()
        expectsValue = true
      } else {
        throw unexpected(token, expectsValue ? ", expected: ',', or identifier" : ", expected: ',' or ')'")
      }
    }
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? end
  }

  #next(): Token {
    return this.#tokens[this.#at++] ?? end
  }
}

function unexpected(token: Token, expected: string): SelectorError {
  return new SelectorError(`unable to parse requirement: found '${token.text}'${expected}`)
}
