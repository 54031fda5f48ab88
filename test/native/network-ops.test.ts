import { execFileSync } from 'node:child_process'
import { expect } from 'vitest'
import { cloneFlags, resource } from '../../src/program/flags.ts'
import { op, type Step } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { childProgram, expectDone, expectFailure, look } from './runner.ts'

const { test } = requires('root', 'ip')

const ip = (...args: readonly string[]): Step =>
  op('spawn', {
    path: execFileSync('/bin/sh', ['-c', 'command -v ip'], { encoding: 'utf8' }).trim(),
    argv: ['ip', ...args],
    env: [],
    input: '',
    timeoutMs: -1,
    inheritEnv: 1,
  })
const socket = (to: string): Step => op('netlink_socket', { to })

/** RTM_NEWLINK that changes IFF_UP. */
function setLink(up: 0 | 1): Uint8Array {
  const request = Buffer.alloc(32)
  request.writeUInt16LE(16, 4)
  request.writeUInt16LE(5, 6)
  request.writeUInt32LE(up, 24)
  request.writeUInt32LE(1, 28)
  return request
}
const request = (name: string, message = setLink(1)): Step =>
  op('netlink_request', { socket: 'links', request: message, interface: name, netns: null })
const inNetwork = (...steps: readonly Step[]) => childProgram(cloneFlags.NEWNET, ...steps)

test('netlink_socket belongs to the network namespace it is made in, and netlink_request is about an interface there', () => {
  const shown = expectDone(inNetwork(socket('links'), request('lo'), ...look('ip -o link show up')))
  expect(shown).toMatch(/^1: lo: .*UP/)
  expectFailure(inNetwork(socket('links'), request('nothing')), 'netlink_request', 'ENODEV')
  expectFailure(inNetwork(socket('links'), request('lo', new Uint8Array(16))), 'netlink_request', 'EMSGSIZE')
  const limit = op('prlimit', { resource: resource.RLIMIT_NOFILE, soft: 3, hard: 1024 })
  expectFailure(childProgram(0, limit, socket('links')), 'netlink_socket', 'EMFILE')
})

test('expect_no_interface fails for a name that is taken', () => {
  const expected = (name: string): Step => op('expect_no_interface', { socket: 'links', interface: name })
  expectDone(inNetwork(socket('links'), expected('eth0'), ...look('true')))
  expectFailure(inNetwork(socket('links'), expected('lo')), 'expect_no_interface', 'EEXIST')
})

test('save_interface keeps what restore_interface brings back: permanent global addresses, and whether it is up', () => {
  const addresses = ['10.1.2.3/24', '10.1.2.4/24', '192.0.2.1/32', 'fd00::5/64']
  const program = (...after: readonly Step[]) =>
    inNetwork(
      ip('link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two'),
      ip('link', 'set', 'one', 'up'),
      ...addresses.map((address) => ip('address', 'add', address, 'dev', 'one')),
      ip('address', 'add', '127.0.0.9/32', 'scope', 'host', 'dev', 'one'),
      ip('address', 'add', '10.9.9.9/32', 'dev', 'one', 'valid_lft', '1000', 'preferred_lft', '1000'),
      socket('links'),
      op('save_interface', { to: 'saved', socket: 'links', interface: 'one' }),
      ip('address', 'flush', 'dev', 'one'),
      ...after,
    )
  const restore = op('restore_interface', { socket: 'links', interface: 'two', saved: 'saved' })
  const shown = expectDone(program(restore, ...look('ip -o address show dev two; ip -o link show dev two up')))
  const found = [...shown.matchAll(/inet6? (\S+)/g)].map(([, address]) => address)
  expect(found.filter((address) => !address?.startsWith('fe80')).sort()).toEqual(addresses.toSorted())
  expect(shown).toContain('<BROADCAST,MULTICAST,UP')
  expectFailure(program(restore, restore), 'restore_interface', 'EEXIST')
  expectFailure(
    inNetwork(socket('links'), op('save_interface', { to: 'saved', socket: 'links', interface: 'none' })),
    'save_interface',
    'ENODEV',
  )
})
