/** Kubernetes' bounds: beyond the total, texts are cut; what still does not fit is left out. */
const maxTotalLength = 4096
const maxCutLength = 256

/** The Warning headers of one answer, without duplicates. */
export class Warnings {
  readonly #texts = new Set<string>()

  add(text: string): void {
    this.#texts.add(text)
  }

  /** The header values, or undefined when there is nothing to warn of. */
  headers(): readonly string[] | undefined {
    if (this.#texts.size === 0) return undefined
    const texts = [...this.#texts]
    const total = texts.reduce((length, text) => length + text.length, 0)
    if (total <= maxTotalLength) return texts.map(header)
    let used = 0
    return texts
      .map((text) => text.slice(0, maxCutLength))
      .filter((text) => (used += text.length) <= maxTotalLength)
      .map(header)
  }
}

/** Header values are ASCII without control characters; everything else is escaped or replaced. */
function header(text: string): string {
  const safe = text
    .replaceAll(/[\\"]/g, (character) => `\\${character}`)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[^\x20-\x7e]/g, '?')
  return `299 - "${safe}"`
}
