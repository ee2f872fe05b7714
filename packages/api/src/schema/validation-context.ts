import type { FieldError } from '../field-error.ts'
import type { Json } from '../json/json.ts'
import { formatPath } from '../json/scanner.ts'

/** How many errors one object reports. */
const maxErrors = 100

/** Where validation stands, and what it found. List duplicates are kept apart: they have their own ratcheting. */
export class ValidationContext {
  readonly path: (string | number)[]
  readonly errors: FieldError[] = []
  readonly listErrors: FieldError[] = []

  /** A branch of a junctor shares the path of the context it starts from. */
  constructor(path: (string | number)[] = []) {
    this.path = path
  }

  /** The path so far; the root prints as nothing. */
  get place(): string {
    return formatPath(this.path)
  }

  add(error: FieldError): void {
    if (this.errors.length < maxErrors) this.errors.push(error)
  }

  addList(error: FieldError): void {
    if (this.listErrors.length < maxErrors) this.listErrors.push(error)
  }
}

/** `old` is the value that stood here before, where it can be correlated; unchanged parts are not judged again. */
export type Validate = (value: Json, context: ValidationContext, old?: Json) => void

/** Kubernetes prints no path for a fault of the whole object. */
export const fieldOf = (context: ValidationContext): string => (context.path.length === 0 ? '<nil>' : context.place)
