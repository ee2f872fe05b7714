import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExternalError } from '@orrery/provider'
import pg from 'pg'
import { externalError, sqlState } from './errors.ts'

function answered(state: string): pg.DatabaseError {
  const error = new pg.DatabaseError('refused', 1, 'error')
  error.code = state
  return error
}

for (const { state, sent, want } of [
  { state: '28P01', sent: false, want: ['user', 'InvalidCredentials'] },
  { state: '42501', sent: true, want: ['user', 'PermissionDenied'] },
  { state: '42P04', sent: true, want: ['conflict', 'AlreadyExists'] },
  { state: '55006', sent: true, want: ['conflict', 'InUse'] },
  { state: '2BP01', sent: true, want: ['conflict', 'DependentObjects'] },
  { state: '53300', sent: false, want: ['throttled', 'TooManyConnections'] },
  { state: '53100', sent: true, want: ['transient', 'OutOfResources'] },
  { state: '57P03', sent: false, want: ['transient', 'ServerStarting'] },
  { state: '57P01', sent: true, want: ['unknown', 'ServerStopped'] },
  { state: '57P01', sent: false, want: ['transient', 'ServerStopped'] },
  { state: '57014', sent: true, want: ['unknown', 'Cancelled'] },
  { state: '25006', sent: true, want: ['transient', 'ReadOnly'] },
  { state: '42601', sent: true, want: ['user', 'Refused'] },
] as const) {
  test(`SQLSTATE ${state}, ${sent ? 'sent' : 'not sent'}, is ${want.join(' ')}`, () => {
    const error = externalError(answered(state), { sent, doing: 'Doing it' })
    assert.deepEqual([error.class, error.reason], want)
    assert.equal(sqlState(error.cause), state)
  })
}

test('a connection that broke before sending changed nothing; after it, nobody knows', () => {
  const broken = new Error('read ECONNRESET')
  assert.equal(externalError(broken, { sent: false, doing: 'Doing it' }).class, 'transient')
  assert.equal(externalError(broken, { sent: true, doing: 'Doing it' }).class, 'unknown')
})

test('every address that was tried is told', () => {
  const both = new AggregateError([new Error('refused by ::1'), new Error('refused by 127.0.0.1')])
  assert.match(externalError(both, { sent: false, doing: 'Doing it' }).message, /::1.*127\.0\.0\.1/)
})

test('what is translated already stays as it is', () => {
  const error = new ExternalError({ class: 'user', reason: 'Mine', message: 'm' })
  assert.equal(externalError(error, { sent: true, doing: 'Doing it' }), error)
})
