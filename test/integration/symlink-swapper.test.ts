import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { directory, file, tar } from '../layer/tar/builder.ts'
import { library } from '../library.ts'
import { requires } from '../requirements.ts'

const { OciError, unpack } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

/**
 * Another user, in a directory that both can write to: for as long as it runs it renames whatever is being unpacked and
 * puts a link in its place, to a directory of the host that it could not write to itself.
 */
const swapper = `
  const fs = require('node:fs')
  const [top, host] = process.argv.slice(1)
  process.stdout.write('ready')
  for (;;) {
    for (const name of fs.readdirSync(top).filter((entry) => entry.includes('.partial-'))) {
      try {
        fs.renameSync(top + '/' + name, top + '/stolen')
        fs.symlinkSync(host, top + '/' + name)
        const end = Date.now() + 2
        while (Date.now() < end);
        fs.unlinkSync(top + '/' + name)
        fs.renameSync(top + '/stolen', top + '/' + name)
        fs.appendFileSync(top + '/swaps', '.')
      } catch {}
    }
  }
`

let top = ''
let attacker: ChildProcess
beforeEach(async () => {
  top = mkdtempSync(join(tmpdir(), 'swapper-'))
  chmodSync(top, 0o755)
  mkdirSync(join(top, 'shared'))
  chmodSync(join(top, 'shared'), 0o777)
  mkdirSync(join(top, 'host'))
  attacker = spawn(process.execPath, ['-e', swapper, join(top, 'shared'), join(top, 'host')], {
    uid: 65_534,
    gid: 65_534,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (attacker.stdout !== null) await once(attacker.stdout, 'data')
})
afterEach(async () => {
  attacker.kill('SIGKILL')
  await once(attacker, 'exit')
  rmSync(top, { recursive: true })
})

requires('root').test('nothing is written outside, whatever another user puts in the place', async () => {
  const entries = Array.from({ length: 300 }, (_, index) => [
    directory(`rootfs${index}`, { mode: 0o750 }),
    file(`rootfs${index}/file`, 'from the image', { uid: 12, mode: 0o4755 }),
  ])
  writeFileSync(join(top, 'rootfs.tar'), tar(...entries.flat()))
  for (let round = 0; round < 25; round++) {
    try {
      await unpack(`rootfs:${join(top, 'rootfs.tar')}`, { out: join(top, 'shared/bundle'), force: true })
    } catch (error) {
      // The attacker can make it fail, and no more.
      expect(error).toBeInstanceOf(OciError)
    }
    expect(readdirSync(join(top, 'host'))).toEqual([])
    expect(statSync(join(top, 'host')).mode & 0o7777).toBe(0o755)
  }
  expect(statSync(join(top, 'shared/swaps')).size).toBeGreaterThan(0)
})
