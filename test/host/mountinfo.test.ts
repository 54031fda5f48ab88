import { execFileSync } from 'node:child_process'
import { expect } from 'vitest'
import { mountPointOf, visibleMounts } from '../../src/host/mountinfo.ts'
import { randomFrom } from '../conformance/seccomp-profiles.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'unshare')

const top = '/tmp'
const directories = ['/a', '/a/b', '/a/b/c', '/a/d', '/e'].map((path) => `${top}${path}`)

/** Makes and moves mounts of two types over one another at random, then prints the mount that each path leads to, and mountinfo. */
function script(seed: number): string {
  const random = randomFrom(seed)
  const pick = (): string => directories[random(directories.length)] ?? top
  const make = `mkdir -p ${directories.join(' ')} 2>/dev/null`
  const step = (): string =>
    random(4) === 0
      ? `mount --move ${pick()} ${pick()} 2>/dev/null; ${make}`
      : `mount -t ${random(2) === 0 ? 'ramfs' : 'tmpfs'} none ${pick()}; ${make}`
  const places = "grep ' - ramfs ' /proc/self/mountinfo | cut -d ' ' -f 5 | sort -u"
  const look = `for path in $(${places}); do [ $(stat -c %m $path) = $path ] && stat -f -c "%T $path" $path; done`
  const steps = Array.from({ length: 12 }, step)
  return [`mount -t tmpfs none ${top}`, make, ...steps, look, 'cat /proc/self/mountinfo'].join('\n')
}

test('the visible mounts are those to which the kernel resolves paths', () => {
  for (let seed = 0; seed < 15; seed++) {
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', script(seed)]
    const output = execFileSync('unshare', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const lines = output.split('\n')
    const isSeen = (line: string): boolean => line.startsWith('ramfs /')
    const expected = lines.filter(isSeen).map((line) => line.slice('ramfs '.length))
    const mountinfo = lines.filter((line) => /^\d/.test(line)).join('\n')
    const seen = visibleMounts(mountinfo, (line) => line.includes(' - ramfs ')).map(mountPointOf)
    expect(seen.sort(), `seed ${seed}`).toEqual(expected.sort())
  }
})
