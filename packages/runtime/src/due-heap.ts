/** Items by the time they are due: a binary heap, earliest first. */
export class DueHeap<T extends { readonly dueMono: number }> {
  #items: T[] = []

  get length(): number {
    return this.#items.length
  }

  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    const items = this.#items
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = items[parentAt]
      if (parent === undefined || parent.dueMono <= item.dueMono) break
      items[at] = parent
      at = parentAt
    }
    items[at] = item
  }

  pop(): T | undefined {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (items.length > 0 && last !== undefined) this.#sink(last)
    return first
  }

  /** Drops what `keep` refuses. */
  retain(keep: (item: T) => boolean): void {
    const kept = this.#items.filter(keep)
    this.#items = []
    for (const item of kept) this.push(item)
  }

  #sink(item: T): void {
    const items = this.#items
    let at = 0
    for (;;) {
      const leftAt = 2 * at + 1
      const left = items[leftAt]
      if (left === undefined) break
      const right = items[leftAt + 1]
      const isRight = right !== undefined && right.dueMono < left.dueMono
      const child = isRight ? right : left
      if (child.dueMono >= item.dueMono) break
      items[at] = child
      at = isRight ? leftAt + 1 : leftAt
    }
    items[at] = item
  }
}
