import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokenRules, providerSuite } from '@orrery/provider/conformance'
import { fakeHarness } from './fake-harness.ts'
import { mutants } from './mutants.ts'

providerSuite('fakes in virtual time', fakeHarness(1))

for (const { name, kind } of [
  { name: 'token-per-attempt', kind: 'Volume' },
  { name: 'no-waiting-after-create', kind: 'Address' },
  { name: 'error-is-absence', kind: 'Topic' },
  { name: 'no-licence-check', kind: 'Address' },
  { name: 'no-licence-check', kind: 'Table' },
]) {
  test(`the suite finds the planted bug ${name} in a ${kind}`, async () => {
    const mutant = mutants.find((known) => known.name === name)
    assert.ok((await brokenRules(fakeHarness(1, mutant), kind)).length > 0)
  })
}
