import { quoteGo } from './field-error.ts'
import { checkLabelValue, checkQualifiedName } from './names.ts'
import { type LabelRequirement, parseRequirements, SelectorError } from './selector-parser.ts'

/** All requirements must hold. */
export type LabelSelector = readonly LabelRequirement[]

/** Every object of a list is matched against every term, so both are bounded. */
const maxRequirements = 1000
const maxTextLength = 16 * 1024

/** `a=b,c!=d,e in (f,g),!h,i>3`. At most 1,000 requirements. An empty text selects everything. */
export function parseLabelSelector(text: string): LabelSelector {
  checkLength(text)
  const requirements = parseRequirements(text).map((requirement) => {
    checkRequirement(requirement)
    return requirement
  })
  checkCount(requirements.length)
  return requirements.sort((a, b) => compare(a.key, b.key))
}

function checkRequirement(requirement: LabelRequirement): void {
  const { key, operator, values } = requirement
  const keyErrors = checkQualifiedName(key)
  if (keyErrors.length > 0) throw unparsable(`<nil>: Invalid value: ${quoteGo(key)}: ${keyErrors.join('; ')}`)
  for (const [index, value] of values.entries()) {
    if ((operator === 'gt' || operator === 'lt') && parseInt64(value) === undefined) {
      const detail = "for 'Gt', 'Lt' operators, the value must be an integer"
      throw unparsable(`values[${index}]: Invalid value: ${quoteGo(value)}: ${detail}`)
    }
    const errors = checkLabelValue(value)
    if (errors.length > 0) {
      throw unparsable(`values[${index}][${key}]: Invalid value: ${quoteGo(value)}: ${errors.join('; ')}`)
    }
  }
}

const unparsable = (detail: string): SelectorError => new SelectorError(`unable to parse requirement: ${detail}`)

function checkLength(text: string): void {
  if (text.length <= maxTextLength) return
  throw new SelectorError(`the selector is longer than ${maxTextLength} characters; select with fewer terms`)
}

function checkCount(count: number): void {
  if (count <= maxRequirements) return
  throw new SelectorError(`the selector has ${count} terms; at most ${maxRequirements} are allowed`)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Whether an object with these labels is selected. `!=` and `notin` also select objects without the key. */
export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>> | undefined): boolean {
  for (const requirement of selector) {
    const { key } = requirement
    const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined
    if (!operatorRules[requirement.operator](requirement.values, value)) return false
  }
  return true
}

const operatorRules: Readonly<
  Record<LabelRequirement['operator'], (values: readonly string[], value: string | undefined) => boolean>
> = {
  in: (values, value) => value !== undefined && values.includes(value),
  notin: (values, value) => value === undefined || !values.includes(value),
  exists: (_, value) => value !== undefined,
  doesnotexist: (_, value) => value === undefined,
  gt: (values, value) => compareIntegers(values, value, (left, right) => left > right),
  lt: (values, value) => compareIntegers(values, value, (left, right) => left < right),
}

function compareIntegers(
  values: readonly string[],
  value: string | undefined,
  holds: (left: bigint, right: bigint) => boolean,
): boolean {
  const left = value === undefined ? undefined : parseInt64(value)
  const right = parseInt64(values[0] ?? '')
  return left !== undefined && right !== undefined && holds(left, right)
}

function parseInt64(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]{1,19}$/.test(text)) return undefined
  const value = BigInt(text.replace('+', ''))
  return BigInt.asIntN(64, value) === value ? value : undefined
}

/** The selector in canonical text, as a query parameter. */
export function formatLabelSelector(selector: LabelSelector): string {
  return selector.map(formatRequirement).join(',')
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  const [first = ''] = values
  const forms: Readonly<Record<LabelRequirement['operator'], string>> = {
    in: values.length === 1 ? `${key}=${first}` : `${key} in (${values.toSorted().join(',')})`,
    notin: values.length === 1 ? `${key}!=${first}` : `${key} notin (${values.toSorted().join(',')})`,
    exists: key,
    doesnotexist: `!${key}`,
    gt: `${key}>${first}`,
    lt: `${key}<${first}`,
  }
  return forms[operator]
}

/** One term of a field selector. */
export interface FieldRequirement {
  readonly path: string
  readonly operator: '=' | '!='
  readonly value: string
}

/** `metadata.name=a,status.phase!=Running`; commas, equal signs and backslashes in values are escaped with `\`. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  checkLength(text)
  const terms = (text.match(/(?:\\[\s\S]?|[^,\\])+/g) ?? []).toSorted(compare)
  checkCount(terms.length)
  return terms.map((term) => {
    const match = /^(.*?)(!=|==|=)([\s\S]*)$/.exec(term)
    if (match === null) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`)
    const [, path = '', operator, value = ''] = match
    return { path, operator: operator === '!=' ? '!=' : '=', value: unescapeValue(value) }
  })
}

function unescapeValue(text: string): string {
  return text.replace(/\\([\s\S]?)|[,=]/g, (found: string, escaped: string | undefined) => {
    if (escaped === undefined) {
      throw new SelectorError(`invalid field selector: unescaped character in value: ${found.charCodeAt(0)}`)
    }
    if (escaped === '' || !'\\,='.includes(escaped)) {
      throw new SelectorError(`invalid field selector: invalid escape sequence: ${found}`)
    }
    return escaped
  })
}

/** `metav1.LabelSelector` of a spec: matchLabels and matchExpressions. */
export interface LabelSelectorSpec {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values?: readonly string[]
  }[]
}

const specOperators = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: 'doesnotexist' } as const

/** The requirements that a spec's selector stands for; an empty one selects everything. Throws {@link SelectorError}. */
export function labelSelectorOf(spec: LabelSelectorSpec): LabelSelector {
  const labels = Object.entries(spec.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: 'in', values: [value] }),
  )
  const expressions = (spec.matchExpressions ?? []).map(
    ({ key, operator, values = [] }): LabelRequirement => ({ key, operator: specOperators[operator], values }),
  )
  const requirements = [...labels, ...expressions]
  checkCount(requirements.length)
  for (const requirement of requirements) {
    checkRequirement(requirement)
    const needsValues = requirement.operator === 'in' || requirement.operator === 'notin'
    if (needsValues === (requirement.values.length === 0)) {
      const rule = needsValues ? 'must be specified when `operator` is' : 'may not be specified when `operator` is'
      throw new SelectorError(`matchExpressions of ${requirement.key}: values ${rule} ${requirement.operator}`)
    }
  }
  return requirements.sort((a, b) => compare(a.key, b.key))
}
