import type { Output, Shell } from './shell.ts'

/** How text for people is written: times, tables, colours. */

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** A duration in at most two units, as kubectl shows ages: `45s`, `6m`, `3h20m`, `12d`. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(durationMs, 0)
  if (ms < 2 * MINUTE_MS) return `${Math.floor(ms / 1000)}s`
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)}m`
  if (ms >= DAY_MS) return `${Math.floor(ms / DAY_MS)}d`
  const minutes = Math.floor((ms % HOUR_MS) / MINUTE_MS)
  return `${Math.floor(ms / HOUR_MS)}h${minutes === 0 ? '' : `${minutes}m`}`
}

/** Local time of day; with the date when it was not within the last day. */
export function formatClock(timeMs: number, nowMs: number): string {
  const at = new Date(timeMs)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`
  if (Math.abs(nowMs - timeMs) < DAY_MS) return time
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}

/** Text from elsewhere on one line and without control characters, which could steer the reader's terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ').trim()
}

export type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold'
/** Puts a text into a colour, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string

const CODES: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 }

/** Colours only for a terminal, and never against NO_COLOR or TERM=dumb. */
export function painter(shell: Pick<Shell, 'environment'>, output: Output): Paint {
  const { NO_COLOR, TERM } = shell.environment
  const isPlain = !output.isTerminal || (NO_COLOR !== undefined && NO_COLOR !== '') || TERM === 'dumb'
  return isPlain ? (_colour, text) => text : (colour, text) => `\u001b[${CODES[colour]}m${text}\u001b[0m`
}

export interface Cell {
  readonly text: string
  readonly colour?: Colour
}

const GAP = '   '
/** Narrower than this, a cut column says nothing. */
const MIN_LAST_WIDTH = 20

/** Aligned columns. On a terminal the last one is cut to its width; elsewhere nothing is. */
export function formatTable(
  rows: readonly (readonly (string | Cell)[])[],
  options: { readonly paint: Paint; readonly columns?: number | undefined },
): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? { text: cell } : cell)))
  const last = Math.max(0, ...cells.map((row) => row.length)) - 1
  const widths = Array.from({ length: last }, (_, index) =>
    Math.max(0, ...cells.map((row) => (row.length - 1 > index ? (row[index]?.text.length ?? 0) : 0))),
  )
  const taken = widths.reduce((sum, width) => sum + width + GAP.length, 0)
  const room = options.columns === undefined ? undefined : Math.max(options.columns - taken - 1, MIN_LAST_WIDTH)
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, index) => write(cell, index))
          .join(GAP)
          .trimEnd()}\n`,
    )
    .join('')

  function write(cell: Cell, index: number): string {
    const text = index === last ? cut(cell.text, room) : cell.text
    const padding = index === last ? '' : ' '.repeat(Math.max((widths[index] ?? 0) - text.length, 0))
    return `${cell.colour === undefined ? text : options.paint(cell.colour, text)}${padding}`
  }
}

/** At most `width` characters, with `…` where something is missing. */
export function cut(text: string, width: number | undefined): string {
  return width === undefined || text.length <= width ? text : `${text.slice(0, width - 1)}…`
}

/** `1 object`, `2 objects`. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`

/** Quotes a text for a POSIX shell, when it needs it. */
export const shellQuote = (text: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
