import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, vi } from 'vitest'
import type { Hook, Hooks } from '../../../src/oci/runtime-config.ts'
import { requires } from '../../requirements.ts'
import { openPlace } from './inside.ts'

const { test } = requires('root', 'busybox')
const at = openPlace()

const kinds = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const
type Kind = keyof Hooks

/** A directory that hooks write to, by the same path on the host and in the container. */
const logs = (): string => join(at().place.directory, 'logs')
beforeEach(() => {
  rmSync(logs(), { recursive: true, force: true })
  mkdirSync(logs())
})

const hook = (script: string, rest: Partial<Hook> = {}): Hook => ({
  path: '/bin/sh',
  args: ['sh', '-c', script],
  ...rest,
})
const logged = (name: string): string =>
  existsSync(join(logs(), name)) ? readFileSync(join(logs(), name), 'utf8') : ''

/** config.json with hooks, and the directory they write to. */
const withHooks = (hooks: Hooks, rest: object = {}) => {
  const directory = logs()
  return {
    config: {
      hooks,
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: directory, type: 'bind', source: directory, options: ['bind'] },
      ],
      ...rest,
    },
  }
}

test('/hooks/{prestart,createRuntime,createContainer,startContainer,poststart,poststop} in order, and are told the /annotations', async () => {
  const { place } = at()
  const tell = (name: string): Hook => hook(`echo ${name} >>${logs()}/order; cat >${logs()}/${name}`)
  const hooks = Object.fromEntries(kinds.map((kind) => [kind, [tell(`${kind}-1`), tell(`${kind}-2`)]]))
  const change = withHooks(hooks, { annotations: { 'org.example': 'a "value"' } })
  place.configure(`echo command >>${logs()}/order; exec sleep 1000`, change)
  const run = (...args: readonly string[]): void => expect(place.tool(args)).toMatchObject({ end: 0, stderr: '' })
  run('create', '-b', place.bundle, place.id)
  const both = (kind: Kind): readonly string[] => [`${kind}-1`, `${kind}-2`]
  const created = [...both('prestart'), ...both('createRuntime'), ...both('createContainer')]
  expect(logged('order').trim().split('\n')).toEqual(created)
  run('start', place.id)
  const { pid } = JSON.parse(place.tool(['state', place.id]).stdout)
  // The container's process and `start` go on side by side.
  await vi.waitFor(() => expect(logged('order')).toContain('command'), { timeout: 20_000 })
  const since = (kind: Kind): readonly string[] =>
    logged('order')
      .trim()
      .split('\n')
      .filter((name) => name.startsWith(kind) || name === 'command')
  expect(since('startContainer')).toEqual([...both('startContainer'), 'command'])
  expect(since('poststart').filter((name) => name !== 'command')).toEqual(both('poststart'))
  run('delete', '-f', place.id)
  expect(logged('order').trim().split('\n').slice(-2)).toEqual(both('poststop'))
  const status = { startContainer: 'created', poststart: 'running', poststop: 'stopped' } as Record<Kind, string>
  for (const kind of kinds) {
    for (const name of both(kind)) {
      const state = JSON.parse(logged(name))
      expect(state, name).toEqual({
        ociVersion: expect.stringMatching(/^1\.\d+\.\d+$/),
        id: place.id,
        status: status[kind] ?? 'creating',
        pid:
          kind === 'poststop' ? 0 : kind === 'startContainer' || kind === 'createContainer' ? expect.any(Number) : pid,
        bundle: place.bundle,
        annotations: { 'org.example': 'a "value"' },
      })
    }
  }
})

test('/hooks/poststop: in order after a run in the foreground too, when its state is gone', () => {
  const { place, see } = at()
  const tell = (name: string): Hook => hook(`echo ${name} $(ls ${place.root} | grep -c ${place.id}) >>${logs()}/order`)
  see('true', withHooks({ poststop: [tell('first'), tell('second'), tell('third')] }))
  expect(logged('order')).toBe('first 0\nsecond 0\nthird 0\n')
})

test('/hooks: env is theirs alone, args begin with their own name, path is absolute', () => {
  const { see, refusal } = at()
  const show = `{ echo "$0"; env | grep -v -E "^(PWD|SHLVL|_)="; } >${logs()}/seen`
  const hooks = { createRuntime: [hook(show, { args: ['own-name', '-c', show], env: ['A=1', 'B=x y'] })] }
  see('true', withHooks(hooks))
  expect(logged('seen')).toBe('own-name\nA=1\nB=x y\n')
  see('true', withHooks({ createRuntime: [hook(`env >${logs()}/inherited`)] }))
  expect(logged('inherited')).toContain(`PATH=${process.env.PATH}`)
  expect(refusal(withHooks({ createRuntime: [{ path: 'bin/sh' }] }))).toContain(
    '/hooks/createRuntime/0/path: must be an absolute path',
  )
})

test('/hooks/{createRuntime,createContainer,startContainer}: where each runs', () => {
  const { see, place } = at()
  const look = (name: string): Hook =>
    hook(
      `{ readlink /proc/self/ns/mnt; readlink /proc/self/ns/net; pwd; ls -d / /usr/share; } >${logs()}/${name} 2>&1; true`,
    )
  const inside = see('readlink /proc/self/ns/mnt; readlink /proc/self/ns/net', {
    ...withHooks({
      createRuntime: [look('createRuntime')],
      createContainer: [look('createContainer')],
      startContainer: [look('startContainer')],
    }),
  }).split('\n')
  const seen = (name: string): readonly string[] => logged(name).split('\n')
  const host = ['mnt', 'net'].map((type) => readlinkSync(`/proc/self/ns/${type}`))
  expect(seen('createRuntime').slice(0, 2)).toEqual(host)
  expect(seen('createContainer').slice(0, 2)).toEqual(inside.slice(0, 2))
  expect(seen('createContainer')).toContain('/usr/share')
  expect(seen('createContainer')[2]).toBe(join(place.bundle, 'rootfs'))
  expect(seen('startContainer').slice(0, 3)).toEqual([...inside.slice(0, 2), '/'])
  expect(logged('startContainer')).toContain('/usr/share: No such file')
})

test.each(['prestart', 'createRuntime', 'createContainer', 'startContainer'] as const)(
  '/hooks/%s: one that fails ends the container before its command, with what it said',
  (kind) => {
    const { refusal } = at()
    const hooks = { [kind]: [hook('echo not today >&2; echo tried; exit 3'), hook(`echo next >${logs()}/next`)] }
    expect(refusal(withHooks({ ...hooks, poststop: [hook(`echo gone >${logs()}/gone`)] }))).toMatch(
      new RegExp(`error running ${kind} hook #0: exit status 3, stdout: tried, stderr: not today`),
    )
    expect(logged('next')).toBe('')
    expect(logged('gone')).toBe('gone\n')
  },
)

test('/hooks/poststart: one that fails stops the container, and is an error', () => {
  const { place } = at()
  place.configure('exec sleep 1000', withHooks({ poststart: [hook('echo tried; exit 4')] }))
  expect(place.tool(['create', '-b', place.bundle, place.id]).end).toBe(0)
  place.comparesErrors = false
  const { end, stderr } = place.tool(['start', place.id])
  place.comparesErrors = true
  expect({ end, stderr }).toEqual({
    end: 1,
    stderr: expect.stringContaining('error running poststart hook #0: exit status 4, stdout: tried, stderr: '),
  })
  expect(place.processes()).toEqual([])
  expect(place.tool(['delete', '-f', place.id]).end).toBe(0)
  const { end: ended, stderr: said } = place.run('exec sleep 1000', withHooks({ poststart: [hook('exit 4')] }))
  expect({ end: ended, stderr: said }).toEqual({ end: 1, stderr: expect.stringContaining('poststart hook #0') })
})

test('/annotations/run.oci.hooks.*: hooks of every kind append to these files, and errors quote the rest', () => {
  const { place } = at()
  const say = (name: string): Hook => hook(`echo ${name}; echo ${name} >&2`)
  const annotations = { 'run.oci.hooks.stdout': `${logs()}/out`, 'run.oci.hooks.stderr': 'err' }
  const all = Object.fromEntries(kinds.map((kind) => [kind, [say(kind)]]))
  place.configure('exec sleep 1000', { config: { annotations, hooks: all } })
  const lines = kinds.map((kind) => `${kind}\n`).join('')
  // As in runc, poststart and startContainer run at the same time.
  const sorted = (text: string): string[] => text.split('\n').sort()
  expect(place.tool(['create', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
  expect(place.tool(['start', place.id])).toMatchObject({ end: 0, stderr: '' })
  expect(place.tool(['delete', '-f', place.id])).toMatchObject({ end: 0, stderr: '' })
  const err = join(place.bundle, 'err')
  expect([logged('out'), readFileSync(err, 'utf8')].map(sorted)).toEqual([sorted(lines), sorted(lines)])
  const hooks = { createRuntime: [hook('echo out; echo err >&2; exit 3')] }
  place.comparesErrors = false
  const { stderr } = place.run('true', { config: { annotations: { 'run.oci.hooks.stderr': 'err' }, hooks } })
  expect(stderr).toMatch(/createRuntime hook #0: exit status 3, stdout: out, stderr: /)
  expect(sorted(readFileSync(err, 'utf8'))).toEqual(sorted(`${lines}err\n`))
  const missing = { 'run.oci.hooks.stdout': '/no/such/file' }
  expect(place.run('true', { config: { annotations: missing, hooks } }).stderr).toContain('/no/such/file')
})

test('/hooks/poststop: one that fails is a warning, and the next one runs', () => {
  const { place } = at()
  const hooks = { poststop: [hook('echo tried; echo no >&2; exit 5'), hook(`echo next >${logs()}/next`)] }
  const warning = 'poststop hook #0: exit status 5, stdout: tried, stderr: no'
  const { end, stderr } = place.run('exit 6', withHooks(hooks))
  expect({ end, stderr }).toEqual({ end: 6, stderr: expect.stringContaining(warning) })
  expect(logged('next')).toBe('next\n')
  // Beside the failure that it takes back, each with its own output.
  const both = place.run('sleep 1000', withHooks({ ...hooks, poststart: [hook('echo first; exit 4')] }))
  expect(both).toMatchObject({ end: 1, stderr: expect.stringContaining(warning) })
  expect(both.stderr).toContain('poststart hook #0: exit status 4, stdout: first, stderr: ')
})

test.each(['createRuntime', 'createContainer', 'startContainer', 'poststart'] as const)(
  '/hooks/%s/timeout: one that takes longer is killed, and has failed',
  (kind) => {
    const { place } = at()
    const hooks = { [kind]: [hook('exec sleep 987654', { timeout: 1 })] }
    const { end, stderr } = place.run('exec sleep 1000', withHooks(hooks))
    expect({ end, stderr }).toEqual({
      end: 1,
      stderr: expect.stringContaining(`${kind} hook #0: context deadline exceeded`),
    })
  },
)

test('/hooks/{poststart,poststop}: of start and delete, with a timeout, or with a child that holds the pipe', () => {
  const { place } = at()
  const slow = hook('exec sleep 987654', { timeout: 1 })
  const leaving = hook(`sleep 60 & echo $! >${logs()}/child; echo "$PATH" >${logs()}/inherited`)
  const next = hook(`echo next >${logs()}/next`)
  place.configure('exec sleep 1000', withHooks({ poststart: [leaving], poststop: [slow, next] }))
  expect(place.tool(['create', '-b', place.bundle, place.id]).end).toBe(0)
  expect(place.tool(['start', place.id])).toMatchObject({ end: 0, stderr: '' })
  process.kill(Number(logged('child')), 'SIGKILL') // it is there still
  expect(logged('inherited')).toBe(`${process.env.PATH}\n`)
  const { end, stderr } = place.tool(['delete', '-f', place.id])
  expect({ end, stderr }).toEqual({ end: 0, stderr: expect.stringContaining('context deadline exceeded') })
  expect(logged('next')).toBe('next\n')
})
