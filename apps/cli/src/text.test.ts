import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cut, formatDuration, formatTable, oneLine, painter, shellQuote } from './text.ts'

for (const { ms, want } of [
  { ms: -5, want: '0s' },
  { ms: 119_000, want: '119s' },
  { ms: 120_000, want: '2m' },
  { ms: 3_600_000, want: '1h' },
  { ms: 5_400_000, want: '1h30m' },
  { ms: 90_000_000, want: '1d' },
]) {
  test(`a duration of ${ms} ms is written ${want}`, () => assert.equal(formatDuration(ms), want))
}

for (const { name, text, want } of [
  { name: 'line breaks', text: 'a\r\nb\n', want: 'a b' },
  { name: 'escape sequences', text: 'a\u001b[31mb', want: 'a [31mb' },
  { name: 'eight-bit controls', text: 'a\u009b31mb', want: 'a 31mb' },
  { name: 'marks that turn the direction of text', text: 'a\u202eb', want: 'a b' },
  { name: 'nothing of ordinary text', text: 'größer → 中文', want: 'größer → 中文' },
]) {
  test(`text from elsewhere loses ${name}`, () => assert.equal(oneLine(text), want))
}

for (const { text, want } of [
  { text: 'database/app', want: 'database/app' },
  { text: '{"a":"b c"}', want: `'{"a":"b c"}'` },
  { text: "it's", want: `'it'\\''s'` },
  { text: '$(rm)', want: `'$(rm)'` },
]) {
  test(`${text} is quoted for a shell as ${want}`, () => assert.equal(shellQuote(text), want))
}

test('a table aligns its columns, cuts the last one to the width, and leaves no space at the end', () => {
  const rows = [
    ['A', 'MESSAGE'],
    ['long', 'x'.repeat(100)],
    ['b', ''],
  ]
  const lines = formatTable(rows, { paint: (_colour, text) => text, columns: 60 }).split('\n')
  assert.equal(lines[0]?.indexOf('MESSAGE'), lines[1]?.indexOf('x'))
  assert.ok((lines[1]?.length ?? 99) <= 60)
  assert.ok(lines.every((line) => line === line.trimEnd()))
  assert.equal(cut('abc', 2), 'a…')
})

for (const { name, environment, isTerminal, colours } of [
  { name: 'a terminal', environment: {}, isTerminal: true, colours: true },
  { name: 'a pipe', environment: {}, isTerminal: false, colours: false },
  { name: 'NO_COLOR', environment: { NO_COLOR: '1' }, isTerminal: true, colours: false },
  { name: 'an empty NO_COLOR', environment: { NO_COLOR: '' }, isTerminal: true, colours: true },
  { name: 'a dumb terminal', environment: { TERM: 'dumb' }, isTerminal: true, colours: false },
]) {
  test(`${name} ${colours ? 'gets' : 'gets no'} colours`, () => {
    const paint = painter({ environment }, { isTerminal, write: () => undefined })
    assert.equal(paint('red', 'x') !== 'x', colours)
  })
}
