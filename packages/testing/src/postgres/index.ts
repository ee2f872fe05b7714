/** `@orrery/testing/postgres`: real PostgreSQL servers for tests and benchmarks. Development only. */

export { postgresHarness } from './conformance.ts'
export type { ServerPrograms } from './programs.ts'
export { serverPrograms } from './programs.ts'
export type { PostgresServer, PostgresServerOptions } from './server.ts'
export { startPostgres } from './server.ts'
export type { Row, SqlTarget } from './sql.ts'
export { runSql } from './sql.ts'
export type { KindName, ManagedWorld, Wanted, WorldOptions } from './world.ts'
export { conditionOf, eventually, isSettled, startWorld } from './world.ts'
