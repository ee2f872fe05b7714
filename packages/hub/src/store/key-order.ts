const surrogate = /[\ud800-\udfff]/

/**
 * The order of keys everywhere: bytewise over their UTF-8. JavaScript compares UTF-16 units, which differs
 * only where surrogate pairs meet U+E000 and above; keys of the API are nearly always ASCII.
 */
export function compareKeys(left: string, right: string): number {
  if (left === right) return 0
  if (surrogate.test(left) || surrogate.test(right)) return Buffer.compare(Buffer.from(left), Buffer.from(right))
  return left < right ? -1 : 1
}
