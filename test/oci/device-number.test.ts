import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { joinDeviceNumber, splitDeviceNumber } from '../../src/oci/device-number.ts'

const numbers = [0, 1, 8, 0xff, 0x100, 0xfff, 0x1000, 0xfffff, 0x12345678, 0x7fffffff]
const pairs = numbers.flatMap((major) => numbers.map((minor) => [major, minor] as const))

test('device numbers are those of the C library', () => {
  const script = 'import os, sys\nfor line in sys.stdin: print(os.makedev(*map(int, line.split())))'
  const input = pairs.map((pair) => pair.join(' ')).join('\n')
  const lines = execFileSync('python3', ['-c', script], { input, encoding: 'utf8' }).trim().split('\n')
  expect(pairs.map(([major, minor]) => String(joinDeviceNumber(BigInt(major), BigInt(minor))))).toEqual(lines)
})

test.each(pairs)('%i:%i is put together and taken apart', (major, minor) => {
  expect(splitDeviceNumber(joinDeviceNumber(BigInt(major), BigInt(minor)))).toEqual({ major, minor })
})
