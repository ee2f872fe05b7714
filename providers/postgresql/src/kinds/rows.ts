/** Reads values of result rows, whose types only the server knows. */

/** `name=value` entries of a settings array. */
export function parametersOf(config: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    listOf(config).map((entry) => {
      const at = entry.indexOf('=')
      return [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}

export function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
