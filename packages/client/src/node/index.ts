/** `@orrery/client/node`: the adapters to a real machine: clock, randomness, kubeconfig, HTTP over TLS. */

export { systemClock } from './clock.ts'
export type { ApiServer } from './kubeconfig.ts'
export { KubeconfigError, kubeconfigPaths, loadKubeconfig, parseKubeconfig } from './kubeconfig.ts'
export { systemRandom } from './random.ts'
export type { NodeTransport } from './transport.ts'
export { createNodeTransport } from './transport.ts'
