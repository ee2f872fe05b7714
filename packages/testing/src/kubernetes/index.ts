/** `@orrery/testing/kubernetes`: the programs that users of Kubernetes have. */

export type { ClientTools, FetchedTools } from './client-tools.ts'
export { fetchClientTools, machineKubectl } from './client-tools.ts'
