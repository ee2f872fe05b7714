import { ApiError } from '@orrery/api'

/** The form in which a client wants its answer. */
export interface AnswerForm {
  readonly format: 'json' | 'yaml'
  readonly as: 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList'
  /** `v1` or `v1beta1` of meta.k8s.io, for transformed answers. */
  readonly version: string
  readonly pretty: boolean
}

interface Clause {
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
  readonly quality: number
  readonly order: number
}

export const defaultForm: AnswerForm = { format: 'json', as: 'object', version: 'v1', pretty: false }

/** Clauses beyond this are ignored; kubectl sends three. */
const maxClauses = 32

/** What Accept headers asked for, by header. Bounded: headers come from the client. */
const maxRemembered = 256
const remembered = new Map<string, readonly AnswerForm[]>()

const formats: Readonly<Record<string, 'json' | 'yaml'>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  '*/*': 'json',
}

/**
 * The forms that `accept` allows and this server can produce, best first. Empty when there is none.
 * Clauses are ordered by quality, then by specificity, then by place; unknown parameters do not matter.
 */
export function acceptedForms(accept: string): readonly AnswerForm[] {
  if (accept === '' || accept === '*/*' || accept === 'application/json') return [defaultForm]
  const known = remembered.get(accept)
  if (known !== undefined) return known
  const forms = parseClauses(accept).flatMap((clause) => formOf(clause) ?? [])
  if (remembered.size >= maxRemembered) remembered.clear()
  remembered.set(accept, forms)
  return forms
}

function parseClauses(accept: string): readonly Clause[] {
  const clauses = accept.split(',', maxClauses).map((text, order): Clause => {
    const [type = '', ...rest] = text.split(';').map((part) => part.trim())
    const parameters = Object.fromEntries(
      rest.map((part) => {
        const equals = part.indexOf('=')
        return equals < 0 ? [part, ''] : [part.slice(0, equals).trim(), part.slice(equals + 1).trim()]
      }),
    )
    const quality = Number(parameters['q'] ?? '1')
    return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality, order }
  })
  const specificity = (clause: Clause) => (clause.type === '*/*' ? 0 : clause.type.endsWith('/*') ? 1 : 2)
  return clauses
    .filter((clause) => clause.quality > 0)
    .sort((a, b) => b.quality - a.quality || specificity(b) - specificity(a) || a.order - b.order)
}

function formOf({ type, parameters }: Clause): AnswerForm | undefined {
  const format = formats[type]
  if (format === undefined || parameters['stream'] !== undefined) return undefined
  const pretty = parameters['pretty'] === '1' || parameters['pretty'] === 'true'
  const as = parameters['as']
  if (as === undefined) {
    // A group or version without `as` asks for a conversion that no endpoint offers.
    return parameters['g'] === undefined && parameters['v'] === undefined
      ? { format, as: 'object', version: 'v1', pretty }
      : undefined
  }
  const version = parameters['v'] ?? ''
  if (parameters['g'] !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined
  if (as !== 'Table' && as !== 'PartialObjectMetadata' && as !== 'PartialObjectMetadataList') return undefined
  return { format, as, version, pretty }
}

/** Whether any clause names a media type that the routes know at all. */
function knowsAnyType(accept: string): boolean {
  const types = [...Object.keys(formats), 'application/vnd.kubernetes.protobuf']
  return parseClauses(accept).some((clause) => types.includes(clause.type))
}

/** 406, with the two texts that Kubernetes has for it. */
export function notAcceptable(
  accept: string,
  types: readonly string[] = ['application/json', 'application/yaml'],
): ApiError {
  if (!knowsAnyType(accept)) {
    return new ApiError({
      code: 406,
      reason: 'NotAcceptable',
      message: `406: Not Acceptable\n\nAvailable representations: ${types.join(', ')}`,
      details: {},
    })
  }
  return new ApiError({
    code: 406,
    reason: 'NotAcceptable',
    message: `only the following media types are accepted: ${types.join(', ')}`,
  })
}

/** 406 for a single object asked for as a list, or the reverse. `kind` names what the endpoint returns. */
export function wrongPartialForm(asked: AnswerForm['as'], kind: string): ApiError {
  const isList = asked === 'PartialObjectMetadata'
  return new ApiError({
    code: 406,
    reason: 'NotAcceptable',
    message: `you requested ${asked}, but the requested object is ${isList ? 'a list' : 'not a list'} (*${kind})`,
  })
}

/** The form for an endpoint that returns one object, a list, or a stream of events. Throws 406. */
export function chooseForm(accept: string, shape: 'object' | 'list' | 'watch', kind: string): AnswerForm {
  const forms = acceptedForms(accept)
  const usable = shape === 'watch' ? forms.filter((form) => form.format === 'json') : forms
  const form = usable[0]
  if (form === undefined) throw notAcceptable(accept, shape === 'watch' ? ['application/json;stream=watch'] : undefined)
  if (shape === 'list' && form.as === 'PartialObjectMetadata') throw wrongPartialForm(form.as, kind)
  if (shape !== 'list' && form.as === 'PartialObjectMetadataList') throw wrongPartialForm(form.as, kind)
  return form
}

/** The form for an endpoint that knows no transformation (reviews, discovery, OpenAPI). Throws 406. */
export function choosePlainForm(accept: string): AnswerForm {
  const form = acceptedForms(accept).find((candidate) => candidate.as === 'object')
  if (form === undefined) throw notAcceptable(accept)
  return form
}
