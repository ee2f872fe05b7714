import { createClient } from '@orrery/client'
import { createNodeTransport, loadKubeconfig, systemClock, systemRandom } from '@orrery/client/node'
import { clientSuite } from '@orrery/testing'
import { startKubeApiserver, whyNoPeer } from './kube-apiserver.ts'

const skip = whyNoPeer() ?? false
if (skip !== false) console.log(`[skip] the client suite on a real kube-apiserver: ${skip}`)

clientSuite(
  'kube-apiserver',
  async () => {
    const peer = await startKubeApiserver()
    const transport = createNodeTransport(loadKubeconfig({ paths: [peer.kubeconfig] }), { clock: systemClock })
    const client = createClient({
      transport: transport.handle,
      clock: systemClock,
      random: systemRandom,
      userAgent: 'orrery-test',
    })
    return {
      client,
      async [Symbol.asyncDispose]() {
        await transport.close()
        await peer.stop()
      },
    }
  },
  { skip },
)
