import type { JsonObject } from '../json/json.ts'
import type { JsonSchema } from './json-schema.ts'

/** One entry of a 422's message and `details.causes`. */
export interface FieldError {
  /** `spec.replicas`, `spec.items[0].name`, `metadata.labels[a.b/c]`, or empty for the root. */
  readonly path: string
  /** `FieldValueRequired`, `FieldValueInvalid`, `FieldValueNotSupported`, … */
  readonly reason: string
  /** `Required value`, `Invalid value: "x": must be …`: what Kubernetes prints after the path. */
  readonly message: string
}

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
