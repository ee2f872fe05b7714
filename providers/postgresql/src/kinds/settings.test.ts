import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalSettings, settingValue } from './settings.ts'

for (const { name, value, sql, stored } of [
  { name: 'work_mem', value: '8MB', sql: `'8MB'`, stored: '8MB' },
  { name: 'search_path', value: 'app', sql: `'app'`, stored: 'app' },
  { name: 'search_path', value: '"$user",public', sql: `'$user', 'public'`, stored: '"$user", public' },
  { name: 'search_path', value: ' A , "A b,c" ', sql: `'a', 'A b,c'`, stored: 'a, "A b,c"' },
  { name: 'search_path', value: '"say ""hi"""', sql: `'say "hi"'`, stored: '"say ""hi"""' },
  { name: 'search_path', value: '', sql: `''`, stored: '' },
  { name: 'datestyle', value: 'ISO, DMY', sql: `'ISO, DMY'`, stored: 'ISO, DMY' },
]) {
  test(`${name} = ${value}`, () => {
    assert.equal(settingValue(name, value), sql)
    const once = canonicalSettings({ [name]: value })
    assert.deepEqual(once, { [name]: stored })
    assert.deepEqual(canonicalSettings(once), once)
  })
}
