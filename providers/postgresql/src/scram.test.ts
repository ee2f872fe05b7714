import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { scramVerifier, verifies } from './scram.ts'

// The exchange of RFC 7677, section 3.
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
const NONCE = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const MESSAGE = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${NONCE}`
const PROOF = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
const SIGNATURE = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='

test('a verifier accepts the proof, and gives the signature, of RFC 7677', () => {
  const [, keys = ''] = /^SCRAM-SHA-256\$4096:[^$]+\$(.+)$/.exec(scramVerifier('pencil', SALT)) ?? []
  const [storedKey, serverKey] = keys.split(':').map((key) => Buffer.from(key, 'base64'))
  assert.ok(storedKey !== undefined && serverKey !== undefined)
  assert.equal(createHmac('sha256', serverKey).update(MESSAGE).digest('base64'), SIGNATURE)
  const clientSignature = createHmac('sha256', storedKey).update(MESSAGE).digest()
  const clientKey = PROOF.map((byte, index) => byte ^ (clientSignature[index] ?? 0))
  assert.deepEqual(createHash('sha256').update(clientKey).digest(), storedKey)
})

test('a verifier belongs to its password and to no other', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.uint8Array({ minLength: 16, maxLength: 16 }), (password, other, salt) => {
      const verifier = scramVerifier(password, salt)
      assert.equal(verifies(verifier, password), true)
      assert.equal(verifies(verifier, other), password.normalize('NFKC') === other.normalize('NFKC'))
    }),
    { numRuns: 20 },
  )
})

for (const stored of [null, '', 'md5d41d8cd98f00b204e9800998ecf8427e', 'SCRAM-SHA-256$broken']) {
  test(`nothing is told by a stored password of another form: ${stored}`, () => {
    assert.equal(verifies(stored, 'x'), undefined)
  })
}

test('a short salt is refused', () => {
  assert.throws(() => scramVerifier('x', Buffer.alloc(4)), RangeError)
})
