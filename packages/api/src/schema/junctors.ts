import { invalid } from '../field-error.ts'
import type { JsonSchema } from './json-schema.ts'
import { type Validate, ValidationContext } from './validation-context.ts'

/** `allOf`, `anyOf`, `oneOf` and `not`: value validations without structure. Their own faults carry no field, as in Kubernetes. */
export function compileJunctors(schema: JsonSchema, compile: (schema: JsonSchema) => Validate): Validate | undefined {
  const allOf = (schema.allOf ?? []).map(compile)
  const anyOf = (schema.anyOf ?? []).map(compile)
  const oneOf = (schema.oneOf ?? []).map(compile)
  const not = schema.not === undefined ? undefined : compile(schema.not)
  if (allOf.length === 0 && anyOf.length === 0 && oneOf.length === 0 && not === undefined) return undefined
  return (value, context) => {
    if (anyOf.length > 0) {
      const { valid, best } = tryBranches(anyOf, value, context)
      if (valid === 0) report(context, 'must validate at least one schema (anyOf)', best)
    }
    if (oneOf.length > 0) {
      const { valid, best } = tryBranches(oneOf, value, context)
      const found = valid === 0 ? 'none valid' : `${valid} valid alternatives`
      if (valid !== 1)
        report(context, `must validate one and only one schema (oneOf). Found ${found}`, valid === 0 ? best : undefined)
    }
    if (allOf.length > 0) checkAllOf(allOf, value, context)
    if (not !== undefined && tryBranches([not], value, context).valid === 1) {
      report(context, 'must not validate the schema (not)', undefined)
    }
  }
}

type Branch = ValidationContext | undefined

function tryBranches(
  branches: readonly Validate[],
  value: Parameters<Validate>[0],
  context: ValidationContext,
): { readonly valid: number; readonly best: Branch } {
  let valid = 0
  let best: Branch
  for (const branch of branches) {
    const inner = new ValidationContext(context.path)
    branch(value, inner)
    if (inner.errors.length === 0) valid++
    else if (best === undefined || inner.errors.length < best.errors.length) best = inner
  }
  return { valid, best }
}

function checkAllOf(branches: readonly Validate[], value: Parameters<Validate>[0], context: ValidationContext): void {
  const inner = new ValidationContext(context.path)
  let valid = 0
  for (const branch of branches) {
    const before = inner.errors.length
    branch(value, inner)
    if (inner.errors.length === before) valid++
  }
  if (valid === branches.length) return
  report(context, `must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`, inner)
}

function report(context: ValidationContext, rule: string, branch: Branch): void {
  context.add(invalid('<nil>', '', `"${context.place}" ${rule}`))
  for (const error of branch?.errors ?? []) context.add(error)
}
