import { parseArgs } from 'node:util'
import { runKillCampaign } from '../apps/server/src/campaign/kill-campaign.test-support.ts'
import { startKubeApiserver, whyNoPeer } from './peers/kube-apiserver.ts'

/**
 * `npm run kill-campaign -- [--kills N] [--objects N] [--seed N] [--kubernetes]`: SIGKILL at random moments while
 * roles, databases and grants are created, changed and deleted; then nothing may be lost, doubled or left over.
 */

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    objects: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    kubernetes: { type: 'boolean', default: false },
  },
})
const say = (line: string) => void process.stdout.write(`${line}\n`)
const reason = values.kubernetes ? whyNoPeer({ controllerManager: true }) : undefined
if (reason !== undefined) {
  say(`[skip] ${reason}`)
} else {
  await using stack = new AsyncDisposableStack()
  const peer = values.kubernetes ? stack.use(await startKubeApiserver({ controllerManager: true })) : undefined
  say(`seed ${values.seed}`)
  const report = await runKillCampaign({
    kills: Number(values.kills),
    objects: Number(values.objects),
    seed: Number(values.seed),
    say,
    ...(peer === undefined ? {} : { kubeconfig: peer.kubeconfig }),
  })
  say(JSON.stringify(report))
}
