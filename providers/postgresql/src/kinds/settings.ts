import { literal } from '../sql.ts'

/** Values of configuration parameters as the server stores them, so that what was asked for and what is there compare equal. */

/** Parameters that hold a list of identifiers (GUC_LIST_QUOTE); the server quotes each element by itself. */
const LISTS = [
  'search_path',
  'temp_tablespaces',
  'local_preload_libraries',
  'session_preload_libraries',
  'shared_preload_libraries',
]

/** Right-hand side of `SET name = …`. */
export function settingValue(name: string, value: string): string {
  if (!LISTS.includes(name)) return literal(value)
  const elements = listElements(value)
  return elements.length === 0 ? `''` : elements.map(literal).join(', ')
}

/** Every list in one spelling: elements separated by a comma and a space, quoted only where they must be. */
export function canonicalSettings(settings: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      LISTS.includes(name) ? listElements(value).map(quoteElement).join(', ') : value,
    ]),
  )
}

// Unquoted elements are folded to lower case, as the server does.
function listElements(value: string): readonly string[] {
  const elements = value.match(/"(?:[^"]|"")*"|[^,\s][^,]*/g) ?? []
  return elements
    .map((element) => element.trim())
    .map((element) => (element.startsWith('"') ? element.slice(1, -1).replaceAll('""', '"') : element.toLowerCase()))
}

const quoteElement = (element: string) =>
  /^[a-z_][a-z0-9_$]*$/.test(element) ? element : `"${element.replaceAll('"', '""')}"`
