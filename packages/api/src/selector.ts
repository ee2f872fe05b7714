/** Label and field selectors. Parsing throws {@link SelectorError} (HTTP 400). */
export class SelectorError extends Error {
  override readonly name = 'SelectorError'
}

export interface LabelRequirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | 'doesnotexist' | 'gt' | 'lt'
  readonly values: readonly string[]
}

export type LabelSelector = readonly LabelRequirement[]

/** `a=b,c!=d,e in (f,g),!h,i>3`. At most 1,000 requirements. An empty text selects everything. */
export function parseLabelSelector(_text: string): LabelSelector {
  throw new Error('contract')
}

export function matchesLabels(
  _selector: LabelSelector,
  _labels: Readonly<Record<string, string>> | undefined,
): boolean {
  throw new Error('contract')
}

/** The selector in canonical text, as a query parameter. */
export function formatLabelSelector(_selector: LabelSelector): string {
  throw new Error('contract')
}

export interface FieldRequirement {
  readonly path: string
  readonly operator: '=' | '!='
  readonly value: string
}

export function parseFieldSelector(_text: string): readonly FieldRequirement[] {
  throw new Error('contract')
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

export function labelSelectorOf(_spec: LabelSelectorSpec): LabelSelector {
  throw new Error('contract')
}
