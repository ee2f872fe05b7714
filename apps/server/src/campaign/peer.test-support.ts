import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('../../../../tools/peers/kube-apiserver.ts', import.meta.url))

type Peer = AsyncDisposable & ({ readonly kubeconfig: string } | { readonly skip: string })

/** A real Kubernetes API server with its controllers, as a process of its own; or why there is none, to be printed. */
export async function peerKubeconfig(): Promise<Peer> {
  const child = spawn(process.execPath, [SCRIPT, '--controller-manager'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  for await (const line of createInterface({ input: child.stdout })) {
    const kubeconfig = /^export KUBECONFIG=(.+)$/.exec(line)?.[1]
    if (kubeconfig !== undefined) return { kubeconfig, [Symbol.asyncDispose]: stop }
    if (line.startsWith('[skip]')) return { skip: line, [Symbol.asyncDispose]: stop }
  }
  throw new Error('The real API server ended before it was ready; its output is above.')
}
