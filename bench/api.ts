import {
  applyServerSide,
  cloneObject,
  compileSchema,
  isJsonObject,
  type JsonObject,
  type JsonSchema,
  parseJson,
  parseYaml,
  stringifyJson,
  trackUpdate,
} from '@orrery/api'

/** What one write of a 2 KB custom resource costs in `@orrery/api`. `node bench/api.ts` prints one JSON line. */

/** How long each measurement runs; long enough for the optimizer, short enough for a check. */
const measureMs = 500
const warmUpMs = 300

const string: JsonSchema = { type: 'string' }
const schema: JsonSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['owner'],
      properties: {
        owner: { type: 'string', maxLength: 63, pattern: '^[a-z][a-z0-9_-]*$' },
        size: { type: 'string', enum: ['small', 'medium', 'large'], default: 'small' },
        replicas: { type: 'integer', minimum: 0, maximum: 100, default: 1 },
        parameters: { type: 'object', additionalProperties: string },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: string,
              port: { type: 'integer', minimum: 1, maximum: 65535 },
              protocol: { type: 'string', default: 'TCP' },
            },
          },
        },
        rules: {
          type: 'array',
          items: { type: 'object', properties: { from: string, to: string, ttl: { type: 'integer' } } },
        },
      },
    },
    status: {
      type: 'object',
      properties: {
        conditions: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
          items: {
            type: 'object',
            required: ['type', 'status'],
            properties: {
              type: string,
              status: string,
              reason: string,
              message: string,
              lastTransitionTime: { type: 'string', format: 'date-time' },
            },
          },
        },
      },
    },
  },
}

/** A resource of about 2 KB. */
export function sampleResource(): JsonObject {
  const parameters = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`parameter_${i}`, `value of parameter ${i}`]),
  )
  const ports = Array.from({ length: 4 }, (_, i) => ({ name: `port-${i}`, port: 5432 + i }))
  const rules = Array.from({ length: 8 }, (_, i) => ({
    from: `10.0.${i}.0/24`,
    to: `service-${i}.example.com`,
    ttl: 60 + i,
  }))
  const conditions = ['Ready', 'Synced', 'UpToDate'].map((type) => ({
    type,
    status: 'True',
    reason: 'Available',
    message: `${type} since the last probe`,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }))
  return {
    apiVersion: 'bench.example.com/v1',
    kind: 'Sample',
    metadata: {
      name: 'sample',
      namespace: 'default',
      labels: { app: 'sample', tier: 'data' },
      annotations: { note: 'measured' },
    },
    spec: { owner: 'team_a', size: 'medium', parameters, ports, rules },
    status: { conditions },
  }
}

/** Runs `operation` for a while and returns microseconds a call. */
function measure(operation: () => unknown): number {
  for (const start = performance.now(); performance.now() - start < warmUpMs; ) operation()
  let calls = 0
  const start = performance.now()
  let elapsedMs = 0
  while (elapsedMs < measureMs) {
    for (let i = 0; i < 50; i++) operation()
    calls += 50
    elapsedMs = performance.now() - start
  }
  return Math.round((elapsedMs * 1000 * 100) / calls) / 100
}

/** Microseconds of each step and of whole writes. */
export function measureApi(): Readonly<Record<string, number>> {
  const compiled = compileSchema(schema)
  const bytes = new TextEncoder().encode(stringifyJson(sampleResource()))
  const write = { schema, apiVersion: 'bench.example.com/v1', time: '2026-01-01T00:00:00Z' }
  const parse = (): JsonObject => {
    const { value } = parseJson(bytes)
    if (!isJsonObject(value)) throw new TypeError('The sample must parse to an object.')
    return value
  }
  const created = trackUpdate({ ...write, next: parse(), manager: 'bench' })
  const prepare = (value: JsonObject): JsonObject => {
    compiled.prune(value)
    compiled.applyDefaults(value)
    if (compiled.validate(value).length > 0) throw new TypeError('The sample must be valid.')
    return value
  }
  const config = {
    ...sampleResource(),
    spec: { owner: 'team_a', replicas: 3, ports: [{ name: 'port-1', port: 5433 }] },
  }
  const applied = applyServerSide({ ...write, live: created, config, manager: 'applier', force: true })
  const live = applied.state === 'merged' ? applied.object : created
  const changed = { ...config, spec: { ...config.spec, replicas: 4 } }
  const update = parse()
  return {
    bytes: bytes.length,
    parseJson: measure(parse),
    nativeParse: measure(() => JSON.parse(new TextDecoder().decode(bytes))),
    parseYaml: measure(() => parseYaml(bytes)),
    stringifyJson: measure(() => stringifyJson(live)),
    pruneDefaultValidate: measure(() => prepare(cloneObject(update))) - measure(() => cloneObject(update)),
    trackCreate: measure(() => trackUpdate({ ...write, next: update, manager: 'bench' })),
    trackUpdate: measure(() => trackUpdate({ ...write, live, next: { ...live, spec: config.spec }, manager: 'bench' })),
    applyChange: measure(() => applyServerSide({ ...write, live, config: changed, manager: 'applier', force: false })),
    applyNothing: measure(() => applyServerSide({ ...write, live, config, manager: 'applier', force: false })),
    wholeCreate: measure(() => trackUpdate({ ...write, next: prepare(parse()), manager: 'bench' })),
    wholeUpdate: measure(() => trackUpdate({ ...write, live, next: prepare(parse()), manager: 'bench' })),
  }
}

if (import.meta.main) console.log(JSON.stringify({ bench: 'api', unit: 'µs', ...measureApi() }))
