import { afterEach, beforeEach, expect, test as plainTest } from 'vitest'
import { formatBytes, formatUsages } from '../../src/cli/stats.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')
const mebi = 2 ** 20
let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const stats = (...args: readonly string[]) => place.tool(['stats', '--no-stream', '--interval', '500ms', ...args])

test('--json is an array of what each running container uses', () => {
  place.configure('while :; do :; done', {
    linux: { resources: { memory: { limit: 64 * mebi }, cpu: { quota: 30_000, period: 100_000 } } },
  })
  expect(place.tool(['run', '-d', '-b', place.bundle, place.id]).end).toBe(0)
  place.configure('sleep 1000 & exec sleep 1000')
  const other = `${place.id}.other`
  expect(place.tool(['run', '-d', '-b', place.bundle, other]).end).toBe(0)
  const { end, stdout } = stats('--json')
  expect(end).toBe(0)
  const [busy, idle] = JSON.parse(stdout)
  expect(busy).toMatchObject({ id: place.id, status: 'running', memoryLimit: 64 * mebi, pids: 1 })
  // The quota is 30 percent of a CPU; the kernel hands it out in slices.
  expect(busy.cpuPercent).toBeGreaterThan(5)
  expect(busy.cpuPercent).toBeLessThan(45)
  expect(busy.memory).toBeGreaterThan(0)
  expect(idle).toMatchObject({ id: other, pids: 2 })
  expect(idle.cpuPercent).toBeLessThan(5)
  const [only, ...rest] = JSON.parse(stats('--json', other).stdout)
  expect({ id: only.id, rest }).toEqual({ id: other, rest: [] })
})

test('a container that does not exist is an error', () => {
  expect(stats('nosuch')).toMatchObject({ end: 1, stdout: '', stderr: expect.stringContaining('does not exist') })
})

plainTest('the table is aligned', () => {
  const usage = { status: 'running' as const, memoryLimit: 64 * mebi, pids: 3, blockRead: 1536, blockWrite: 0 }
  expect(
    formatUsages([
      { id: 'web', cpuPercent: 12.34, memory: 16 * mebi, ...usage },
      { id: 'database-1', cpuPercent: 150, memory: 512, ...usage },
    ]),
  ).toBe(
    `ID          STATUS      CPU     MEMORY / LIMIT    MEM  PIDS  BLOCK READ / WRITE
web         running   12.3%  16.0MiB / 64.0MiB  25.0%     3        1.50KiB / 0B
database-1  running  150.0%     512B / 64.0MiB   0.0%     3        1.50KiB / 0B
`,
  )
})

plainTest.each([
  [0, '0B'],
  [1023, '1023B'],
  [1024, '1.00KiB'],
  [10 * 1024, '10.0KiB'],
  [123 * 2 ** 30, '123GiB'],
])('%i bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
