/** `@orrery/testing/postgres`: real PostgreSQL servers for tests and benchmarks. Development only. */

export type { ServerPrograms } from './programs.ts'
export { serverPrograms } from './programs.ts'
export type { PostgresServer, PostgresServerOptions, Row } from './server.ts'
export { startPostgres } from './server.ts'
