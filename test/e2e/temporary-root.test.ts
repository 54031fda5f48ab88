import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { ContainerPlace, type Finished } from '../container.ts'
import { type Way, wayNames, ways, withNode } from '../front/ways.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

/** A user as cron(8) or su(1) leave one: without a runtime directory. */
const uid = 54_331
const root = `/tmp/bundle-tool-${uid}`

let place: ContainerPlace
beforeEach(() => {
  rmSync(root, { recursive: true, force: true })
  place = new ContainerPlace()
  const base = defaultConfig({ rootless: true, cgroupNamespace: false, uid, gid: uid, terminal: false })
  place.write({ ...base, process: { ...base.process, args: ['sh', '-c', 'exit 3'] } } as RuntimeConfig)
  place.giveRootfsTo(uid)
})
afterEach(async () => {
  rmSync(root, { recursive: true, force: true })
  await place.close()
})

function asUser(way: Way, ...args: readonly string[]): Finished {
  return callAsUser(ways[way], ...args)
}

interface Call {
  readonly words: readonly string[]
  readonly path: string
}

function callAsUser({ words, path }: Call, ...args: readonly string[]): Finished {
  const [command = '', ...rest] = words
  const { status, signal, stdout, stderr } = spawnSync(command, [...rest, ...args], {
    uid,
    gid: uid,
    cwd: place.directory,
    env: { PATH: path, HOME: place.directory },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  return { end: signal ?? status, stdout, stderr }
}

const run = (way: Way) => asUser(way, 'run', '-b', place.bundle, place.id)

test('without XDG_RUNTIME_DIR a user has a root in /tmp, made for the user alone, and the front uses it', () => {
  expect(asUser('Node.js', 'list', '-q')).toEqual({ end: 0, stdout: '', stderr: '' })
  expect(asUser('Node.js', 'state', place.id)).toMatchObject({ end: 1, stderr: expect.stringContaining('not exist') })
  expect(readdirSync('/tmp')).not.toContain(root.slice('/tmp/'.length))
  for (const way of ['the front, which compiles first', 'the front, with a kept program', 'Node.js'] as const) {
    expect(run(way)).toEqual({ end: 3, stdout: '', stderr: '' })
  }
  const made = lstatSync(root)
  expect([made.uid, made.mode & 0o7777, made.isDirectory()]).toEqual([uid, 0o1700, true])
})

const somebody = 54_332
const traps: Readonly<Record<string, { readonly lay: () => void; readonly why: string }>> = {
  'the directory of somebody else': {
    lay: () => {
      mkdirSync(root, { mode: 0o777 })
      chownSync(root, somebody, somebody)
    },
    why: `it is the directory of user ${somebody}`,
  },
  'a link to a directory of the user': {
    lay: () => {
      const own = join(place.directory, 'own')
      mkdirSync(own, { mode: 0o700 })
      chownSync(own, uid, uid)
      symlinkSync(own, root)
    },
    why: 'it is no directory',
  },
  'a file': { lay: () => writeFileSync(root, ''), why: 'it is no directory' },
  'a FIFO': { lay: () => expect(spawnSync('mkfifo', [root]).status).toBe(0), why: 'it is no directory' },
  'a directory that others can enter': {
    lay: () => {
      mkdirSync(root)
      chownSync(root, uid, uid)
      chmodSync(root, 0o777)
    },
    why: 'others can enter it (mode 777)',
  },
}

test.each(Object.keys(traps).flatMap((trap) => wayNames.map((way) => ({ trap, way }))))(
  '$trap in its place is refused by $way',
  ({ trap, way }) => {
    const { lay, why } = traps[trap] as (typeof traps)[string]
    if (ways[way].keeps) {
      expect(run('the front, which compiles first').end).toBe(3)
      spawnSync('mv', [root, `${root}.kept`])
      rmSync(root, { recursive: true, force: true })
    }
    lay()
    try {
      if (ways[way].keeps && trap !== 'a file' && trap !== 'a FIFO') {
        // The program is there, and would run if the place were trusted.
        expect(spawnSync('sh', ['-c', `cp -a ${root}.kept/.program-* ${root}/`]).status).toBe(0)
      }
      const before = lstatSync(root)
      for (const args of [
        ['run', '-b', place.bundle, place.id],
        ['state', place.id],
        ['kill', place.id],
        ['delete', '-f', place.id],
        ['list'],
      ]) {
        // Node.js has the words, whoever refuses.
        const { end, stdout, stderr } = callAsUser({ ...ways[way], path: withNode }, ...args)
        expect({ end, stdout }).toEqual({ end: 1, stdout: '' })
        const refusal = `"${root}" is not safe to keep the state of containers in: ${why}; set XDG_RUNTIME_DIR, or name`
        expect(stderr.replaceAll('\\"', '"').replace('\n  hint:', ';')).toContain(refusal)
      }
      expect(lstatSync(root).mode).toBe(before.mode)
    } finally {
      rmSync(`${root}.kept`, { recursive: true, force: true })
    }
  },
)
