import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, expect } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'ip')

// A name for each test: the kernel takes its time to end a container's network namespace, and the interfaces with it.
let name = ''
let count = 0
const address = '192.0.2.77/32'
const hardware = '02:00:00:11:22:33'
const ip = (...args: readonly string[]): string =>
  execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
const isHere = (): boolean => ip('-o', 'link').includes(` ${name}@`)

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
  name = `bt${process.pid}x${count++}`
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`)
  ip('link', 'set', name, 'mtu', '1400', 'address', hardware)
  ip('address', 'add', address, 'dev', name)
  ip('address', 'add', '127.0.0.99/32', 'scope', 'host', 'dev', name)
})
afterEach(async () => {
  await place.close()
  if (isHere()) ip('link', 'del', name)
})

const moving = (device: { readonly name?: string }, linux: RuntimeConfig['linux'] = {}): ConfigChange => ({
  linux: { netDevices: { [name]: device }, ...linux },
})

test('an interface of the host is in the container, with its address, MTU and hardware address, and up', () => {
  const { stdout, stderr } = place.run('ip address', moving({}))
  expect(stderr).toBe('')
  const own = stdout.slice(stdout.indexOf(`${name}`))
  expect(own).toContain('mtu 1400')
  expect(own).toContain('UP')
  expect(own).toContain(`link/ether ${hardware}`)
  expect(own).toContain(`inet ${address}`)
  expect(own).not.toContain('127.0.0.99')
  expect(place.leftovers()).toEqual([])
})

test('an interface gets the name that config.json gives it, in a user namespace too', () => {
  place.giveRootfsTo(100_000)
  const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  const types = ['pid', 'network', 'ipc', 'uts', 'mount', 'user'] as const
  const namespaces = types.map((type) => ({ type }))
  const change = moving({ name: 'eth9' }, { namespaces, uidMappings: mappings, gidMappings: mappings })
  const { stdout, stderr } = place.run('ip -o address show dev eth9', change)
  expect(stderr).toBe('')
  expect(stdout).toContain(`inet ${address}`)
})

test('in a network namespace that is joined by path it stays when the container is gone', () => {
  ip('netns', 'add', name)
  try {
    const namespaces = [
      { type: 'mount' as const },
      { type: 'pid' as const },
      { type: 'uts' as const },
      { type: 'network' as const, path: `/run/netns/${name}` },
    ]
    expect(place.run('ip -o address show dev eth9', moving({ name: 'eth9' }, { namespaces })).stdout).toContain(address)
    expect(ip('-n', name, '-o', 'address', 'show', 'dev', 'eth9')).toContain(address)
    expect(isHere()).toBe(false)
  } finally {
    ip('netns', 'del', name)
  }
})

test('a create that fails leaves the interface where it was, as it was', () => {
  ip('link', 'set', name, 'up')
  const { end, stderr } = place.run('', { ...moving({ name: 'eth9' }), process: { args: ['/missing'] } })
  expect(end).toBe(1)
  expect(stderr).toContain('no such file')
  const shown = ip('address', 'show', 'dev', name)
  expect(shown).toContain(address)
  expect(shown).toMatch(/<[^>]*\bUP\b/)
  expect(place.leftovers()).toEqual([])
})

test.each([
  ['nothing-there', {}, 'network device \\"nothing-there\\"'],
  ['a name', {}, 'invalid network device name \\"a name\\"'],
  ['', { name: 'x/y' }, 'invalid network device name \\"x/y\\"'],
  ['', { name: 'lo' }, 'EEXIST'],
])('"%s" (none: the one there is) moved as %j fails the create', (from, device, message) => {
  const { end, stderr } = place.run('', { linux: { netDevices: { [from || name]: device } } })
  expect(end).toBe(1)
  expect(stderr).toContain(message)
  expect(isHere()).toBe(true)
})
