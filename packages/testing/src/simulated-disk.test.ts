import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskError } from '@orrery/hub/store'
import { type DiskFaults, SimulatedDisk } from './simulated-disk.ts'
import { Simulation } from './simulation.ts'

async function onDisk(faults: Partial<DiskFaults>, body: (disk: SimulatedDisk) => Promise<void>): Promise<void> {
  const result = await new Simulation({ seed: 3 }).run({
    name: 'disk',
    goals: [],
    run: async (simulation) => body(new SimulatedDisk(simulation, faults)),
  })
  assert.deepEqual(result.violations, [])
}

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString()

test('a crash keeps what was synced and drops the rest', () =>
  onDisk({}, async (disk) => {
    const before = disk.mount()
    await before.append('f', Buffer.from('synced '))
    await before.sync('f')
    await before.append('f', Buffer.from('lost'))
    assert.equal(text(await before.read('f')), 'synced lost')
    disk.crash()
    assert.equal(text(await disk.mount().read('f')), 'synced ')
  }))

test('a torn crash never touches synced bytes', () =>
  onDisk({ torn: 1 }, async (disk) => {
    for (let i = 0; i < 20; i++) {
      const mounted = disk.mount()
      await mounted.truncate('f', 0)
      await mounted.append('f', Buffer.from('synced '))
      await mounted.sync('f')
      await mounted.append('f', Buffer.alloc(5000, 1))
      disk.crash()
      assert.ok(text(await disk.mount().read('f')).startsWith('synced '))
    }
  }))

test('after a failed sync a second one lies', () =>
  onDisk({ syncError: 1 }, async (disk) => {
    const mounted = disk.mount()
    await mounted.append('f', Buffer.from('x'))
    await assert.rejects(mounted.sync('f'), DiskError)
    disk.crash()
    assert.equal(text(await disk.mount().read('f')), '')
  }))

test('a full disk takes a part of the bytes at most and says so', () =>
  onDisk({}, async (disk) => {
    disk.capacityBytes = 10
    const mounted = disk.mount()
    await assert.rejects(mounted.append('f', Buffer.alloc(20)), DiskError)
    assert.ok(disk.sizeOf('f') <= 10)
    await mounted.remove('f')
    await mounted.append('g', Buffer.alloc(10))
  }))
