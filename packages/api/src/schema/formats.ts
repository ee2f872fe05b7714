/** The string formats that structural schemas check. Names are compared without dashes; others are ignored. */

/** No format describes longer text, but for `byte` and `uri`, whose checks are linear. */
const maxFormattedLength = 4096

const matches =
  (pattern: RegExp) =>
  (text: string): boolean =>
    text.length <= maxFormattedLength && pattern.test(text)

const ipv4Pattern = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const dateTimePattern = /^\d{4}-\d\d-\d\d[tT ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[zZ]|[+-]\d\d:?\d\d)$/
const goDurationPattern = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/
const wordDurationPattern =
  /\d+\s*(?:ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\b/i
const creditCardPattern =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/
const hostnamePattern =
  /^(?:[\p{L}\p{S}0-9](?:[\p{L}\p{S}0-9-]{0,61}[\p{L}\p{S}0-9])?)(?:\.[\p{L}\p{S}0-9](?:[\p{L}\p{S}0-9-]{0,61}[\p{L}\p{S}0-9])?)*$/u
const shortNamePattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const longNamePattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const base64Pattern = /^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/

const checks: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['bsonobjectid', matches(/^[0-9a-fA-F]{24}$/)],
  ['uri', isRequestUri],
  ['email', matches(/^(?:[^<>@]*<)?[^\s@<>(),;:\\"[\]]+@[^\s@<>(),;:\\"]+>?$/)],
  ['hostname', (text) => text.length <= 255 && hostnamePattern.test(text)],
  ['ipv4', isIpv4],
  ['ipv6', isIpv6],
  ['cidr', isCidr],
  [
    'mac',
    matches(
      /^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}(?:[0-9a-f]{2})(?:(?:\1[0-9a-f]{2}){2}|(?:\1[0-9a-f]{2}){14})?$|^(?:[0-9a-f]{4}\.){2}(?:[0-9a-f]{4})(?:\.[0-9a-f]{4}|(?:\.[0-9a-f]{4}){7})?$/i,
    ),
  ],
  ['uuid', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i)],
  ['uuid3', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i)],
  ['uuid4', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i)],
  ['uuid5', matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i)],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ['hexcolor', matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  [
    'rgbcolor',
    matches(/^rgb\(\s*(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])(?:\s*,\s*(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])){2}\s*\)$/),
  ],
  ['byte', isBase64],
  ['password', () => true],
  ['date', isDate],
  [
    'duration',
    (text) => text.length <= maxFormattedLength && (goDurationPattern.test(text) || wordDurationPattern.test(text)),
  ],
  ['datetime', isDateTime],
  ['k8sshortname', matches(shortNamePattern)],
  ['k8slongname', (text) => text.length <= 253 && longNamePattern.test(text)],
])

/** The check of a format, or undefined when the format is not one that Kubernetes checks. */
export function formatCheck(format: string): ((text: string) => boolean) | undefined {
  return checks.get(format.replaceAll('-', ''))
}

function isRequestUri(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are exactly what a URI must not hold.
  if (/[\x00-\x20\x7f]/.test(text) || /%(?![0-9a-fA-F]{2})/.test(text)) return false
  return text.startsWith('/') || /^[a-zA-Z][a-zA-Z0-9+.-]*:./.test(text)
}

function isIpv4(text: string): boolean {
  return text.length <= 15 && ipv4Pattern.test(text)
}

function isIpv6(text: string): boolean {
  if (text.length > 45 || !text.includes(':')) return false
  const tail = text.slice(text.lastIndexOf(':') + 1)
  const plain = isIpv4(tail) ? `${text.slice(0, -tail.length)}0:0` : text
  const halves = plain.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false
  return halves.length === 2 ? groups.length < 8 : groups.length === 8
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/')
  if (rest.length > 0 || !/^\d{1,3}$/.test(bits) || (bits.length > 1 && bits.startsWith('0'))) return false
  return (isIpv4(address) && Number(bits) <= 32) || (isIpv6(address) && Number(bits) <= 128)
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '')
  if (!/^\d{9}[\dX]$/.test(digits)) return false
  let sum = 0
  for (const [index, digit] of digits.split('').entries()) sum += (index + 1) * (digit === 'X' ? 10 : Number(digit))
  return sum % 11 === 0
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '')
  if (!/^\d{13}$/.test(digits)) return false
  let sum = 0
  for (const [index, digit] of digits.split('').entries()) sum += (index % 2 === 0 ? 1 : 3) * Number(digit)
  return sum % 10 === 0
}

function isCreditCard(text: string): boolean {
  if (text.length > maxFormattedLength) return false
  const digits = text.replace(/\D+/g, '')
  if (!creditCardPattern.test(digits)) return false
  let sum = 0
  for (const [index, digit] of digits.split('').toReversed().entries()) {
    const value = index % 2 === 0 ? Number(digit) : Number(digit) * 2
    sum += value > 9 ? value - 9 : value
  }
  return sum % 10 === 0
}

function isBase64(text: string): boolean {
  return base64Pattern.test(text) && text.replace(/[\r\n]/g, '').length % 4 === 0
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}

function isDateTime(text: string): boolean {
  if (text.length > maxFormattedLength || !dateTimePattern.test(text)) return false
  const hour = Number(text.slice(11, 13))
  const minute = Number(text.slice(14, 16))
  const second = Number(text.slice(17, 19))
  return isDate(text.slice(0, 10)) && hour < 24 && minute < 60 && second < 60
}
