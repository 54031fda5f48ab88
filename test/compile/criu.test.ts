import { expect, test } from 'vitest'
import { dumpRequest, restoreRequest } from '../../src/compile/criu.ts'
import { encodeMessage } from '../../src/compile/criu-message.ts'
import { parseMessage } from '../fake-criu.ts'

const parse = (bytes: Uint8Array | string) =>
  parseMessage(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1'))

/** The examples of the documentation of protocol buffers, and the least and greatest values that are sent. */
test.each([
  [[[1, 150]], '089601'],
  [[[2, 'testing']], '120774657374696e67'],
  [[[3, [[1, 150]]]], '1a03089601'],
  [
    [
      [1, true],
      [2, undefined],
      [4, false],
    ],
    '08012000',
  ],
  [[[51, 'é']], '9a0302c3a9'],
  [
    [
      [38, 2 ** 30],
      [20, 2 ** 32 - 1],
    ],
    'b0028080808004a001ffffffff0f',
  ],
  [[[2, []]], '1200'],
] as const)('%j is encoded as %s', (message, bytes) => {
  expect(Buffer.from(encodeMessage(message)).toString('hex')).toBe(bytes)
})

const container = { root: '/r', externalMounts: [{ key: '/a', value: '/b' }] }
const dumped = { ...container, pid: 7, freezer: '/f', external: ['net[1]:x', 'pid[2]:y'], hasStatusFd: false }
const restored = { ...container, joined: [], inherited: [], cgroupRoots: [] }

test('each option of a checkpoint is a field of its own', () => {
  const optionsOf = (options: Parameters<typeof dumpRequest>[0], own = dumped) =>
    parse(String(parse(dumpRequest(options, own)).get(2)?.[0]))
  const plain = optionsOf({})
  const changed = (options: Parameters<typeof dumpRequest>[0], own = dumped) =>
    [...optionsOf(options, own)].filter(([field, values]) => String(values) !== String(plain.get(field) ?? ''))
  expect(changed({ leaveRunning: true })).toEqual([[3, [1]]])
  expect(changed({ extUnixSk: true })).toEqual([[4, [1]]])
  expect(changed({ tcpEstablished: true })).toEqual([[5, [1]]])
  expect(changed({ shellJob: true })).toEqual([[7, [1]]])
  expect(changed({ fileLocks: true })).toEqual([[8, [1]]])
  expect(changed({ pageServer: { address: '::1', port: 27277 } })).toEqual([[11, ['\n\x03::1\x10\x8d\xd5\x01']]])
  expect(changed({ parentPath: '../p' })).toEqual([
    [14, ['../p']],
    [15, [1]],
  ])
  expect(changed({ autoDedup: true })).toEqual([[16, [1]]])
  expect(changed({ linkRemap: true })).toEqual([[18, [1]]])
  expect(changed({ tcpSkipInFlight: true })).toEqual([[46, [1]]])
  expect(changed({ lazyPages: true }, { ...dumped, hasStatusFd: true })).toEqual([
    [48, [1]],
    [49, [5]],
  ])
  for (const [name, mode] of Object.entries({ ignore: 0, soft: 3, full: 4, strict: 5 })) {
    expect(changed({ manageCgroupsMode: name })).toEqual([[34, [mode]]])
  }
  expect(() => optionsOf({ manageCgroupsMode: 'hard' })).toThrow('invalid manage-cgroups-mode')
  expect(plain.get(37)).toEqual(['net[1]:x', 'pid[2]:y'])
  expect(parse(dumpRequest({ preDump: true }, dumped)).get(1)).toEqual([4])
})

test('a restore has the namespaces, descriptors and cgroups that it is given', () => {
  const request = parse(
    restoreRequest(
      { lsmProfile: 'selinux:a', lsmMountContext: 'b' },
      {
        ...restored,
        joined: [{ type: 'ipc', path: '/i' }],
        inherited: [{ key: 'pipe:[1]', fd: 0 }],
        cgroupRoots: [{ controller: 'cpu', path: '/c' }],
      },
    ),
  )
  const options = parse(String(request.get(2)?.[0]))
  const pair = (field: number) => [...parse(String(options.get(field)?.[0])).values()].flat()
  expect(request.get(1)).toEqual([2])
  expect([pair(23), pair(25), pair(27), pair(39)]).toEqual([
    ['/a', '/b'],
    ['cpu', '/c'],
    ['pipe:[1]', 0],
    ['ipc', '/i'],
  ])
  expect([options.get(53), options.get(63)]).toEqual([['selinux:a'], ['b']])
})
