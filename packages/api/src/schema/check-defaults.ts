import { type FieldError, invalid } from '../field-error.ts'
import { cloneJson, type Json } from '../json/json.ts'
import type { JsonSchema } from './json-schema.ts'
import { compilePrune } from './passes.ts'
import { compileValidate } from './validate.ts'
import { ValidationContext } from './validation-context.ts'

/** Whether a default is a value that its own schema keeps and accepts. `path` is that of the node. */
export function checkDefault(schema: JsonSchema, value: Json, path: string): FieldError[] {
  const at = `${path}.default`
  const removed: string[] = []
  compilePrune(schema, false)?.(cloneJson(value), { path: [], removed })
  if (removed.length > 0) return [invalid(at, value, 'must not have unknown fields')]
  const context = new ValidationContext()
  compileValidate(schema)(value, context)
  return [...context.errors, ...context.listErrors].map(({ reason, message }) => ({ path: at, reason, message }))
}
