import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { openFlags } from '../../src/program/flags.ts'
import { op } from '../../src/program/program.ts'
import { requires } from '../requirements.ts'
import { expectDone, expectFailure, hostProgram } from './runner.ts'

const { test } = requires('aarch64-linux-gnu-gcc', 'qemu-aarch64-static', 'unshare', 'bash')

const project = join(import.meta.dirname, '../..')
const place = mkdtempSync(join(tmpdir(), 'arm64-'))
const runner = join(place, 'bundle-tool-runner')
afterAll(() => rmSync(place, { recursive: true }))

/** ELF of aarch64 for QEMU, in a user namespace of its own, since Linux 6.7: nothing of the host's changes. */
const setUp = `
  mount -t binfmt_misc none /proc/sys/fs/binfmt_misc &&
  printf '%s' ':aarch64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:'"$(command -v qemu-aarch64-static)":POCF > /proc/sys/fs/binfmt_misc/register`

/** In place of the runner of this host. It begins as the copy that it would make of itself: QEMU knows no execveat(2). */
const start = `${setUp} && exec 9<"${runner}" && rm "${runner}" && shift && exec -a bundle-tool-runner /proc/self/fd/9 "$@"`
const under = ['unshare', '--user', '--map-root-user', '--mount', 'bash', '-c', start, 'bash']

beforeAll(() => {
  const flags = readFileSync(join(project, 'native/flags'), 'utf8').trim().split(/\s+/)
  const sources = ['native/system', 'native/runner'].flatMap((room) =>
    readdirSync(join(project, room))
      .filter((name) => name.endsWith('.c'))
      .map((name) => join(room, name)),
  )
  execFileSync('aarch64-linux-gnu-gcc', [...flags, '-DBUILD_ID="test"', '-o', join(place, 'built'), ...sources], {
    cwd: project,
  })
})

const prepare = (): void => {
  execFileSync('install', ['-m', '500', join(place, 'built'), runner])
}

test('the runner for arm64 does what a program says, flags of open(2) included', ({ skip }) => {
  const probe = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'bash', '-c', setUp], {
    encoding: 'utf8',
  })
  skip(probe.status !== 0, `needs binfmt_misc of user namespaces, Linux 6.7: ${probe.stderr}`)
  const { CREAT, DIRECTORY, NOFOLLOW, PATH } = openFlags
  const path = join(place, 'made')
  const open = (name: string, flags: number) => op('open', { to: 'at', at: null, path: join(place, name), flags })
  writeFileSync(join(place, 'file'), '')
  mkdirSync(join(place, 'directory'))
  symlinkSync('directory', join(place, 'link'))
  prepare()
  const write = op('write_file', { at: 'at', path: 'new', content: [{ register: 'id' }], flags: CREAT, mode: 0o640 })
  expectDone(
    hostProgram(op('mkdir', { at: null, path, mode: 0o750 }), open('made', DIRECTORY | NOFOLLOW | PATH), write),
    { under, id: 'demo' },
  )
  expect(readFileSync(join(path, 'new'), 'utf8')).toBe('demo')
  prepare()
  expectFailure(hostProgram(open('file', DIRECTORY)), 'open', 'ENOTDIR', { under })
  prepare()
  expectFailure(hostProgram(open('link', NOFOLLOW)), 'open', 'ELOOP', { under })
  prepare()
  expectFailure(hostProgram(open('nosuch', DIRECTORY)), 'open', 'ENOENT', { under })
  expect(existsSync(runner)).toBe(false)
})
