/** `@orrery/provider-postgresql`: servers, databases, roles, grants, schemas and extensions of PostgreSQL. */

export type { ChoosePort, LocalServer, LocalServers, ServerSettings } from './local-servers.ts'
export { chooseFreePort, createLocalServers } from './node/local-servers.ts'
export { postgresql } from './provider.ts'
