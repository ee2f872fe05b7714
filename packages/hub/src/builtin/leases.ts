import { checkDnsSubdomain, type FieldError, forbidden, invalid, type JsonObject, leases } from '@orrery/api'
import type { ResourceDefinition } from './builtin.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { numberAt, objectAt, textAt } from './fields.ts'
import { int32, kindSchema, microTime, object, text } from './kind-schema.ts'

const schema = kindSchema(leases, 'Lease defines a lease concept: who holds something, and until when.', {
  properties: {
    spec: object('Spec contains the specification of the Lease.', {
      acquireTime: microTime('When the current lease was acquired.'),
      holderIdentity: text('The identity of the holder of the current lease.'),
      leaseDurationSeconds: int32(
        'How long candidates for the lease need to wait to force acquire it, measured against the time of the last observed renewTime.',
      ),
      leaseTransitions: int32('The number of transitions of the lease between holders.'),
      preferredHolder: text(
        'Signals to a lease holder that the lease has a more optimal holder and should be given up. Needs strategy.',
      ),
      renewTime: microTime('When the current holder of the lease last updated it.'),
      strategy: text('The strategy for picking the leader of a coordinated leader election.'),
    }),
  },
})

export const leaseDefinition: ResourceDefinition = {
  info: leases,
  schema,
  custom: false,
  status: false,
  generation: false,
  // Elections depend on it: who has not read the latest version must not renew.
  unconditionalUpdate: false,
  createOnUpdate: true,
  checkName: checkDnsSubdomain,
  selectableFields: [],
  fieldsOf: () => undefined,
  columns: [
    nameColumn,
    column('Holder', 'The identity of the holder of the current lease.', (lease) =>
      textAt(objectAt(lease, 'spec'), 'holderIdentity'),
    ),
    ageColumn,
  ],
  validate: validateLease,
}

function validateLease(lease: JsonObject): FieldError[] {
  const spec = objectAt(lease, 'spec')
  const errors: FieldError[] = []
  const durationSeconds = numberAt(spec, 'leaseDurationSeconds')
  const transitions = numberAt(spec, 'leaseTransitions')
  if (durationSeconds !== undefined && durationSeconds <= 0) {
    errors.push(invalid('spec.leaseDurationSeconds', durationSeconds, 'must be greater than 0'))
  }
  if (transitions !== undefined && transitions < 0) {
    errors.push(invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'))
  }
  if (textAt(spec, 'preferredHolder') !== '' && textAt(spec, 'strategy') === '') {
    errors.push(forbidden('spec.preferredHolder', 'may only be specified if `strategy` is defined'))
  }
  return errors
}
