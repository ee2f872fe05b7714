/** Rules for names and labels, with Kubernetes' texts. Each returns the violations as text, empty when valid. */

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain = `${label}(\\.${label})*`
const namePart = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelValue = `(${namePart})?`
const dns1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const configKey = '[-._a-zA-Z0-9]+'

// These expressions cannot backtrack beyond one repetition, and the lengths below bound their input.
const labelPattern = new RegExp(`^${label}$`)
const subdomainPattern = new RegExp(`^${subdomain}$`)
const namePartPattern = new RegExp(`^${namePart}$`)
const labelValuePattern = new RegExp(`^${labelValue}$`)
const dns1035Pattern = new RegExp(`^${dns1035}$`)
const configKeyPattern = new RegExp(`^${configKey}$`)

const maxLabelBytes = 63
const maxSubdomainBytes = 253

const namePartMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

function explain(message: string, pattern: string, ...examples: readonly string[]): string {
  const listed = examples.map((example) => `'${example}', `).join(' or ')
  return `${message} (e.g. ${listed}regex used for validation is '${pattern}')`
}

const byteLength = (text: string): number =>
  text.length > 4 * maxSubdomainBytes ? text.length : new TextEncoder().encode(text).length

/** A pattern is tried only on what is short enough, so that no name costs more than its own length. */
function check(options: {
  readonly text: string
  readonly maxBytes: number
  readonly pattern: RegExp
  readonly violation: string
}): string[] {
  const isTooLong = options.text.length > options.maxBytes || byteLength(options.text) > options.maxBytes
  const errors = isTooLong ? [`must be no more than ${options.maxBytes} bytes`] : []
  if (!options.pattern.test(options.text)) errors.push(options.violation)
  return errors
}

/** A DNS-1123 subdomain of at most 253 bytes: the names of most objects. */
export function checkDnsSubdomain(name: string): string[] {
  const message =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
  const violation = explain(message, subdomain, 'example.com')
  return check({ text: name, maxBytes: maxSubdomainBytes, pattern: subdomainPattern, violation })
}

/** A DNS-1123 label of at most 63 bytes: the names of namespaces. */
export function checkDnsLabel(name: string): string[] {
  const message =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
  const violation = subdomainPattern.test(name)
    ? 'must not contain dots'
    : explain(message, label, 'my-name', '123-abc')
  return check({ text: name, maxBytes: maxLabelBytes, pattern: labelPattern, violation })
}

/** A DNS-1035 label of at most 63 bytes: plurals and versions of custom resources. */
export function checkDns1035Label(name: string): string[] {
  const message =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"
  const errors = name.length > maxLabelBytes ? [`must be no more than ${maxLabelBytes} characters`] : []
  if (!dns1035Pattern.test(name)) errors.push(explain(message, dns1035, 'my-name', 'abc-123'))
  return errors
}

/** `[prefix/]name`: keys of labels and annotations, finalizers. */
export function checkQualifiedName(name: string): string[] {
  const parts = name.split('/')
  const violation = explain(namePartMessage, namePart, 'MyName', 'my.name', '123-abc')
  if (parts.length > 2) {
    return [`a valid label key ${violation} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  const [last = '', prefix] = parts.toReversed()
  const errors: string[] = []
  if (prefix === '') errors.push('prefix part must be non-empty')
  else if (prefix !== undefined) errors.push(...checkDnsSubdomain(prefix).map((error) => `prefix part ${error}`))
  if (last === '') errors.push('name part must be non-empty')
  const rest = check({ text: last, maxBytes: maxLabelBytes, pattern: namePartPattern, violation })
  return [...errors, ...rest.map((error) => `name part ${error}`)]
}

/** The value of a label: empty or at most 63 bytes. */
export function checkLabelValue(value: string): string[] {
  const message =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
  const violation = explain(message, labelValue, 'MyValue', 'my_value', '12345')
  return check({ text: value, maxBytes: maxLabelBytes, pattern: labelValuePattern, violation })
}

/** A key of a ConfigMap's or Secret's data. */
export function checkConfigKey(key: string): string[] {
  const errors = key.length > maxSubdomainBytes ? [`must be no more than ${maxSubdomainBytes} characters`] : []
  if (!configKeyPattern.test(key)) {
    const message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    errors.push(explain(message, configKey, 'key.name', 'KEY_NAME', 'key-name'))
  }
  if (key === '.' || key === '..') errors.push(`must not be '${key}'`)
  else if (key.startsWith('..')) errors.push("must not start with '..'")
  return errors
}

/** A name that may stand in a URL path: anything but `.`, `..`, and names with `/` or `%`. */
export function checkPathSegment(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  return ['/', '%'].filter((illegal) => name.includes(illegal)).map((illegal) => `may not contain '${illegal}'`)
}
