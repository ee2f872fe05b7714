import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runKillCampaign } from './campaign/kill-campaign.test-support.ts'
import { peerKubeconfig } from './campaign/peer.test-support.ts'

/** The short form; `npm run kill-campaign` is the long one. Its output names the seed, which repeats the choices. */
const KILLS = 10
const OBJECTS_OF_EACH_KIND = 20
const seed = Date.now() % 1_000_000

test('nothing is lost, doubled, left over or stuck after kills of hub, manager and server', async (context) => {
  context.diagnostic(`seed ${seed}`)
  const report = await runKillCampaign({
    kills: KILLS,
    objects: OBJECTS_OF_EACH_KIND,
    seed,
    say: (line) => context.diagnostic(line),
  })
  assert.equal(sum(report.kills), KILLS)
})

test('the same holds on a real Kubernetes', async (context) => {
  await using peer = await peerKubeconfig()
  if ('skip' in peer) {
    console.log(peer.skip)
    context.skip(peer.skip)
    return
  }
  context.diagnostic(`seed ${seed}`)
  const report = await runKillCampaign({
    kills: KILLS,
    objects: OBJECTS_OF_EACH_KIND,
    seed,
    kubeconfig: peer.kubeconfig,
    say: (line) => context.diagnostic(line),
  })
  assert.equal(sum(report.kills), KILLS)
})

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((total, count) => total + count, 0)
