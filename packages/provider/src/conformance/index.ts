/** `@orrery/provider/conformance`: the suite that every provider must pass. Registers `node:test` tests. */

export type {
  ConformanceWorld,
  CredentialFaults,
  Fault,
  KindCase,
  Outside,
  ProviderHarness,
  Target,
} from './harness.ts'
export type { SuiteOptions } from './suite.ts'
export { brokenRules, providerSuite } from './suite.ts'
