import type { FieldError } from '../field-error.ts'
import type { JsonObject } from '../json/json.ts'
import type { JsonSchema } from './json-schema.ts'
import { compileDefaults, compilePrune } from './passes.ts'
import { compileValidate } from './validate.ts'
import { ValidationContext } from './validation-context.ts'

/**
 * A structural schema compiled to closures. The three passes work on an object that the caller owns
 * (fresh from the parser) and change it in place. Compile lazily, drop with the CRD.
 */
export interface StructuralSchema {
  /** Removes fields the schema does not name; returns their paths (bounded). Never touches apiVersion, kind, metadata of the root. */
  prune(value: JsonObject): string[]
  /** Fills defaults, and drops `null` where the schema is not nullable and has no default. */
  applyDefaults(value: JsonObject): void
  /** All violations, bounded. With `old`, unchanged invalid parts are tolerated (ratcheting). */
  validate(value: JsonObject, options?: { readonly old?: JsonObject }): FieldError[]
}

/** Compiles a schema that {@link checkStructural} found sound. Each pass is one walk over what the schema names. */
export function compileSchema(schema: JsonSchema): StructuralSchema {
  const prune = compilePrune(schema, true)
  const applyDefaults = compileDefaults(schema, true)
  const validate = compileValidate(schema)
  return {
    prune(value) {
      const removed: string[] = []
      prune?.(value, { path: [], removed })
      return removed.sort()
    },
    applyDefaults(value) {
      applyDefaults?.(value)
    },
    validate(value, options = {}) {
      const context = new ValidationContext()
      validate(value, context, options.old)
      if (context.listErrors.length === 0) return context.errors
      return [...context.errors, ...newListErrors(context, options.old)]
    },
  }

  /** Duplicates in a list are tolerated on update when the old object had some too, as Kubernetes does. */
  function newListErrors(context: ValidationContext, old: JsonObject | undefined): readonly FieldError[] {
    if (old === undefined) return context.listErrors
    const before = new ValidationContext()
    validate(old, before)
    return before.listErrors.length > 0 ? [] : context.listErrors
  }
}
