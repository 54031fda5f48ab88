import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const own = (['pid', 'network', 'ipc', 'uts', 'mount', 'user'] as const).map((type) => ({ type }))

test('a user namespace maps root to the given id', () => {
  place.giveRootfsTo(100_000)
  const mapped = { containerID: 0, hostID: 100_000, size: 65_536 }
  const { end, stdout, stderr } = place.run(
    'id -u; cat /proc/self/uid_map; echo x > /dev/null; stat -c %u /proc/1 /tmpfs',
    {
      config: {
        root: { path: 'rootfs' },
        mounts: [
          { destination: '/proc', type: 'proc', source: 'proc' },
          { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
          { destination: '/tmpfs', type: 'tmpfs', source: 'tmpfs' },
        ],
      },
      linux: {
        namespaces: own,
        uidMappings: [mapped],
        gidMappings: [mapped],
        maskedPaths: [],
        readonlyPaths: [],
      },
    },
  )
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  expect(stdout.replace(/ +/g, ' ')).toBe('0\n 0 100000 65536\n0\n0\n')
})

test('a bind keeps the locked flags of its source in a user namespace', () => {
  place.giveRootfsTo(100_000)
  const mapped = { containerID: 0, hostID: 100_000, size: 65_536 }
  const { end, stdout, stderr } = place.run('grep " /host-shm " /proc/self/mountinfo', {
    config: {
      root: { path: 'rootfs' },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/host-shm', source: '/sys', options: ['rbind', 'ro'] },
      ],
    },
    linux: {
      namespaces: own,
      uidMappings: [mapped],
      gidMappings: [mapped],
      maskedPaths: [],
      readonlyPaths: [],
    },
  })
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  expect(stdout).toMatch(/ \/host-shm ro,/)
})

test('namespaces of another container are joined by path, its user namespace too', async () => {
  place.giveRootfsTo(100_000)
  const mapped = { containerID: 0, hostID: 100_000, size: 65_536 }
  const linux = {
    namespaces: own,
    uidMappings: [mapped],
    gidMappings: [mapped],
    maskedPaths: [],
    readonlyPaths: [],
  }
  const config: Partial<RuntimeConfig> = {
    root: { path: 'rootfs' },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  }
  place.configure('exec sleep 1000', { config: { ...config, hostname: 'first' }, linux })
  const pidFile = join(place.directory, 'pid')
  expect(place.tool(['run', '-d', '--pid-file', pidFile, '-b', place.bundle, place.id])).toMatchObject({
    end: 0,
    stderr: '',
  })
  const pid = readFileSync(pidFile, 'utf8')
  const names = { user: 'user', ipc: 'ipc', uts: 'uts', network: 'net', pid: 'pid' } as const
  const joined = Object.entries(names).map(([type, file]) => ({
    type: type as keyof typeof names,
    path: `/proc/${pid}/ns/${file}`,
  }))
  const { hostname: _, ...unnamed } = place.configure(
    'hostname; for n in user ipc uts net pid; do readlink /proc/self/ns/$n; done; ps | grep -c "sleep 1000"',
    { config, linux: { ...linux, namespaces: [{ type: 'mount' }, ...joined], uidMappings: [], gidMappings: [] } },
  )
  place.write(unnamed)
  const second = `${place.id}-second`
  const { end, stdout, stderr } = place.tool(['run', '-b', place.bundle, second])
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' })
  const lines = stdout.trim().split('\n')
  expect(lines[0]).toBe('first')
  expect(Number(lines.at(-1))).toBeGreaterThan(0)
})
