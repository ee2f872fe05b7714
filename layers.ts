/**
 * The only statement of who may import whom. A package may import packages of a lower layer, never of
 * its own or a higher one. `tools/layers.test.ts` enforces it.
 */
export const layers: Readonly<Record<string, number>> = {
  '@orrery/api': 0,
  '@orrery/client': 1,
  '@orrery/hub': 2,
  '@orrery/runtime': 2,
  '@orrery/provider': 3,
  '@orrery/provider-postgresql': 4,
  '@orrery/server': 5,
  '@orrery/cli': 5,
}

/** Development only: tests, bench and examples may import it, product code never. It may import everything below apps. */
export const developmentOnly = ['@orrery/testing'] as const
