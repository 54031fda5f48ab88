import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lookUpUser } from '../../src/bundle/user.ts'

let rootfs = ''
beforeEach(() => {
  rootfs = mkdtempSync(join(tmpdir(), 'user-'))
  mkdirSync(join(rootfs, 'etc'))
  writeFileSync(
    join(rootfs, 'etc/passwd'),
    [
      'root:x:0:0:root:/root:/bin/sh',
      '# a comment:x:1:1::/:',
      'damaged:x:99999999999:1::/:',
      'short:x:7',
      'www:x:33:44::/var/www:/bin/false',
      '1000:x:55:55::/digits:/bin/sh',
      'noHome:x:66:66:::',
      'www:x:34:34::/second:',
    ].join('\n'),
  )
  writeFileSync(
    join(rootfs, 'etc/group'),
    'root:x:0:root\nwww:x:44:\nlog:x:4:www,root\nlogtwice:x:4:www\nssl:x:110:other,www\n2000:x:77:\n',
  )
})
afterEach(() => rmSync(rootfs, { recursive: true }))

const www = { uid: 33, home: '/var/www' }

test.each([
  [undefined, { uid: 0, gid: 0, additionalGids: [0, 4], home: '/root' }],
  ['', { uid: 0, gid: 0, additionalGids: [0, 4], home: '/root' }],
  ['root', { uid: 0, gid: 0, additionalGids: [0, 4], home: '/root' }],
  ['www', { ...www, gid: 44, additionalGids: [4, 110] }],
  ['33', { ...www, gid: 44, additionalGids: [4, 110] }],
  ['www:log', { ...www, gid: 4, additionalGids: [] }],
  ['www:1234', { ...www, gid: 1234, additionalGids: [] }],
  ['33:0', { ...www, gid: 0, additionalGids: [] }],
  [':log', { uid: 0, home: '/root', gid: 4, additionalGids: [] }],
  ['noHome', { uid: 66, gid: 66, additionalGids: [], home: undefined }],
  ['1000', { uid: 1000, gid: 0, additionalGids: [], home: undefined }],
  ['0:2000', { uid: 0, gid: 2000, additionalGids: [], home: '/root' }],
  ['4294967294:4294967294', { uid: 4294967294, gid: 4294967294, additionalGids: [], home: undefined }],
])('%j is %j', (text, expected) => {
  expect(lookUpUser(rootfs, text)).toEqual(expected)
})

test.each([
  ['nobody', 'image user "nobody" is not in the /etc/passwd of its rootfs'],
  ['damaged', 'image user "damaged" is not in the /etc/passwd of its rootfs'],
  ['short', 'image user "short" is not in the /etc/passwd of its rootfs'],
  ['-1', 'image user "-1" is not in the /etc/passwd of its rootfs'],
  ['www:nogroup', 'image group "nogroup" is not in the /etc/group of its rootfs'],
  ['www:log:4', 'image group "log:4" is not in the /etc/group of its rootfs'],
  ['4294967295', 'image user "4294967295" has the id 4294967295, and the largest is 4294967294'],
  ['0:18446744073709551616', 'image user "0:18446744073709551616" has the id 18446744073709551616'],
])('%j is refused: %s', (text, message) => {
  expect(() => lookUpUser(rootfs, text)).toThrow(expect.objectContaining({ code: 'ERR_USER_UNKNOWN' }))
  expect(() => lookUpUser(rootfs, text)).toThrow(message)
})

test('names need an entry in passwd or group, numbers do not', () => {
  rmSync(join(rootfs, 'etc'), { recursive: true })
  expect(lookUpUser(rootfs, '5:6')).toEqual({ uid: 5, gid: 6, additionalGids: [], home: undefined })
  expect(lookUpUser(rootfs)).toEqual({ uid: 0, gid: 0, additionalGids: [], home: undefined })
  expect(() => lookUpUser(rootfs, 'www')).toThrow('/etc/passwd')
})

test('a passwd that is a link out of the rootfs is read inside it', () => {
  const outside = mkdtempSync(join(tmpdir(), 'outside-'))
  try {
    writeFileSync(join(outside, 'passwd'), 'evil:x:0:0::/:\n')
    rmSync(join(rootfs, 'etc/passwd'))
    symlinkSync(join(outside, 'passwd'), join(rootfs, 'etc/passwd'))
    expect(() => lookUpUser(rootfs, 'evil')).toThrow('image user "evil"')
  } finally {
    rmSync(outside, { recursive: true })
  }
})
