import assert from 'node:assert/strict'
import { test } from 'node:test'
import { machineFormatOf } from './document.ts'

for (const { args, want } of [
  { args: ['status'], want: undefined },
  { args: ['status', '-o', 'wide'], want: undefined },
  { args: ['status', '-o', 'json'], want: 'json' },
  { args: ['status', '-ojson'], want: 'json' },
  { args: ['status', '-o=yaml'], want: 'yaml' },
  { args: ['status', '--output=json', '--wat'], want: 'json' },
  { args: ['status', '--output', 'yaml'], want: 'yaml' },
  { args: ['status', '-o'], want: undefined },
]) {
  test(`${args.join(' ')} asks for ${want ?? 'text'}`, () => assert.equal(machineFormatOf(args), want))
}
