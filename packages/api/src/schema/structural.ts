import type { FieldError } from '../field-error.ts'
import type { JsonObject } from '../json/json.ts'
import type { JsonSchema } from './json-schema.ts'

/**
 * A structural schema compiled to closures. The three passes work on an object that the caller owns
 * (fresh from the parser) and change it in place. Compile lazily, drop with the CRD.
 */
export interface StructuralSchema {
  /** Removes fields the schema does not name; returns their paths (bounded). Never touches apiVersion, kind, metadata of the root. */
  prune(value: JsonObject): string[]
  /** Fills defaults, and drops `null` where the schema is not nullable and has a default. */
  applyDefaults(value: JsonObject): void
  /** All violations, bounded. With `old`, unchanged invalid parts are tolerated (ratcheting). */
  validate(value: JsonObject, options?: { readonly old?: JsonObject }): FieldError[]
}

export function compileSchema(_schema: JsonSchema): StructuralSchema {
  throw new Error('contract')
}

/** What makes a CRD's schema non-structural or beyond a limit (depth 64, 10,000 nodes, bad pattern). Paths start at `at`. */
export function checkStructural(_schema: JsonSchema, _at: string): FieldError[] {
  throw new Error('contract')
}
