import { RE2JS } from 're2js'

/** Patterns come from users, so they run on an engine whose time is linear in the text. */

/** A compiled program beyond this is refused when the schema is written: repetitions such as `(a{999}){999}`. */
const maxProgramSize = 10_000

/** Compiles on first use: most schemas hold patterns that most objects never reach. */
export function lazyPattern(source: string): (text: string) => boolean {
  let compiled: RE2JS | undefined
  return (text) => {
    compiled ??= RE2JS.compile(source)
    return compiled.test(text)
  }
}

/** Why a pattern cannot be used, in Go's words; undefined when it can. */
export function patternFault(source: string): string | undefined {
  try {
    const size = RE2JS.compile(source).programSize()
    if (size <= maxProgramSize) return undefined
    return `its program has ${size} steps, more than ${maxProgramSize}`
  } catch (error) {
    // The engine reports bad syntax by throwing; the text says where.
    return error instanceof Error ? error.message : String(error)
  }
}
