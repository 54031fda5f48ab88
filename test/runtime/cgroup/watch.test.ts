import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CgroupWatch, watchCgroup } from '../../../src/runtime/cgroup/watch.ts'

const farMs = 60_000
let directory: string
let cgroup: CgroupWatch | undefined
const change = (file: string): void => writeFileSync(join(directory, file), 'x')

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'watch-'))
  for (const file of ['memory.events', 'cgroup.events', 'memory.oom_control']) change(file)
})
afterEach(() => {
  cgroup?.close()
  rmSync(directory, { recursive: true })
})

/** Milliseconds that a wait takes. */
async function waited(timeoutMs: number): Promise<number> {
  const begin = performance.now()
  await cgroup?.wait(timeoutMs)
  return performance.now() - begin
}

test.each(['memory.events', 'cgroup.events'])('on cgroup v2 a change of %s ends the wait', async (file) => {
  cgroup = watchCgroup({ '': directory })
  const wait = waited(farMs)
  change(file)
  expect(await wait).toBeLessThan(farMs / 2)
})

test('an event between two waits is not missed, and nothing else ends a wait', async () => {
  cgroup = watchCgroup({ '': directory })
  const aChange = waited(farMs)
  change('memory.events')
  await aChange
  change('cgroup.events')
  expect(await waited(farMs)).toBeLessThan(farMs / 2)
  await waited(100) // further events of those changes
  expect(await waited(300)).toBeGreaterThan(250)
})

test('on cgroup v1, and where no file can be watched, a wait ends soon', async () => {
  cgroup = watchCgroup({ memory: directory, '': directory })
  expect(await waited(farMs)).toBeLessThan(farMs / 2)
  cgroup = watchCgroup({ '': join(directory, 'gone') })
  expect(await waited(farMs)).toBeLessThan(farMs / 2)
})

test('a wait that is aborted fails with the reason', async () => {
  cgroup = watchCgroup({ '': directory })
  const controller = new AbortController()
  const wait = cgroup.wait(farMs, controller.signal)
  controller.abort(new Error('enough'))
  await expect(wait).rejects.toThrow('enough')
  await expect(cgroup.wait(farMs, controller.signal)).rejects.toThrow('enough')
})
