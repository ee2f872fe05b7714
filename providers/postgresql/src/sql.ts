import type { OwnershipMark } from '@orrery/provider'
import { ExternalError } from '@orrery/provider'

/** SQL text. Identifiers and literals are always quoted here, never interpolated raw. */

/** Longest identifier PostgreSQL keeps (NAMEDATALEN - 1), in bytes; longer ones would be cut silently. */
export const MAX_IDENTIFIER_BYTES = 63

/** Throws `ExternalError` for what PostgreSQL could not store unchanged. */
export function identifier(name: string): string {
  if (name === '' || name.includes('\0')) throw invalid('A name must not be empty or contain NUL.')
  if (Buffer.byteLength(name) > MAX_IDENTIFIER_BYTES) {
    throw invalid(`The name ${name} is longer than the ${MAX_IDENTIFIER_BYTES} bytes that PostgreSQL keeps.`)
  }
  return `"${name.replaceAll('"', '""')}"`
}

const invalid = (message: string) => new ExternalError({ class: 'user', reason: 'InvalidName', message })

/** A string literal that means the same whatever `standard_conforming_strings` is. */
export function literal(text: string): string {
  if (text.includes('\0')) throw invalid('A text must not contain NUL.')
  const quoted = text.replaceAll("'", "''")
  return quoted.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`
}

const MARK = /\s*\[orrery hub=([0-9a-f-]{36}) uid=([0-9a-f-]{36})\]$/

/** Reads the ownership mark at the end of a comment. `null`: the comment carries none. */
export function markOf(comment: string | null): OwnershipMark | null {
  const match = comment === null ? null : MARK.exec(comment)
  const [, hub, uid] = match ?? []
  return hub === undefined || uid === undefined ? null : { hub, uid }
}

/** The comment with our mark at its end; what people wrote before it stays. */
export function commentWithMark(comment: string | null, mark: OwnershipMark): string {
  const text = (comment ?? '').replace(MARK, '')
  return `${text}${text === '' ? '' : ' '}[orrery hub=${mark.hub} uid=${mark.uid}]`
}
