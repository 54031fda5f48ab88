import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { front, ways } from '../front/ways.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'script')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

const deaf = 'trap "" TERM; echo > /ready; while :; do sleep 0.05; done'
const writable = { config: { root: { path: 'rootfs' } } }

function startContainer(script: string): void {
  place.configure(script, writable)
  expect(place.tool(['run', '--detach', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
}

const expectDeleted = () => {
  expect(place.tool(['delete', place.id])).toEqual({ end: 0, stdout: '', stderr: '' })
  expect(place.leftovers()).toEqual([])
}

test('a container that ignores its stop signal is killed when its time is up, and can be deleted at once', () => {
  startContainer(deaf)
  expect(place.tool(['stop', '-t', '0.2', place.id])).toEqual({ end: 0, stdout: '', stderr: '' })
  expectDeleted()
})

test('stop takes a number of seconds, and a container that exists', () => {
  expect(place.tool(['stop', '-t', 'soon', place.id])).toMatchObject({
    end: 2,
    stderr: expect.stringContaining('seconds'),
  })
  expect(place.tool(['stop', place.id])).toMatchObject({ end: 1, stderr: expect.stringContaining('does not exist') })
})

test('kill --wait returns when the container has ended', () => {
  startContainer(deaf)
  expect(place.tool(['kill', '--wait', place.id, 'KILL'])).toEqual({ end: 0, stdout: '', stderr: '' })
  expectDeleted()
  startContainer(deaf)
  expect(place.tool(['kill', place.id, 'KILL', '--wait'])).toEqual({ end: 0, stdout: '', stderr: '' })
  expectDeleted()
})

const onTerminal = (words: readonly string[], ...args: readonly string[]) =>
  spawnSync('script', ['-qec', [...words, '--root', place.root, ...args].join(' '), '/dev/null'], {
    encoding: 'utf8',
    input: '',
    timeout: 20_000,
  })

const hint = 'hint: its first process ignores that'

test.each([
  ['the trap of a shell', 'trap "" TERM; echo > /ready; while :; do sleep 0.05; done', ['TERM', true]],
  ['no handler', 'echo > /ready; exec sleep 1000', ['15', true]],
  ['a handler', 'trap "exit 3" TERM; echo > /ready; while :; do sleep 0.05; done', ['TERM', false]],
  ['no handler, a signal that ends nothing', 'echo > /ready; exec sleep 1000', ['WINCH', false]],
  ['no handler, SIGKILL', 'echo > /ready; exec sleep 1000', ['KILL', false]],
] as const)('kill says on a terminal what a signal will not do: %s', async (_, script, [signal, isTold]) => {
  for (const words of [ways['Node.js'].words, [front]]) {
    startContainer(script)
    await vi.waitFor(() => expect(existsSync(join(place.bundle, 'rootfs/ready'))).toBe(true), 5000)
    if (script.includes('exec')) await vi.waitFor(() => expect(commandOf(place)).toContain('sleep'), 5000)
    const { status, stdout } = onTerminal(words, 'kill', place.id, signal)
    expect({
      status,
      isTold: stdout.includes(`${hint}: use "bundle-tool stop ${place.id}", or "bundle-tool kill`),
    }).toEqual({
      status: 0,
      isTold,
    })
    if (isTold) {
      const [command = '', ...rest] = words
      const silent = spawnSync(command, [...rest, '--root', place.root, 'kill', place.id, signal], { encoding: 'utf8' })
      expect(silent).toMatchObject({ status: 0, stdout: '', stderr: '' })
    }
    expect(place.tool(['delete', '-f', place.id])).toMatchObject({ end: 0 })
    rmSync(join(place.bundle, 'rootfs/ready'))
  }
})

function commandOf({ id }: ContainerPlace): string {
  const { pid } = JSON.parse(place.tool(['state', id]).stdout)
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
}

/** Linux 6.15 tells how a process has ended that is no child of the one who asks. */
const [major = 0, minor = 0] = readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').map(Number)
const tells = major > 6 || (major === 6 && minor >= 15)

test('wait prints the exit status and exits with it, where the kernel tells it, and says so where it does not', async () => {
  startContainer('while ! test -e /go; do sleep 0.02; done; exit 7')
  const waiting = place.start(['wait', place.id])
  const output = text(waiting.stdout)
  await new Promise((resolve) => setTimeout(resolve, 300))
  place.tool(['exec', place.id, 'touch', '/go']) // which the end of the container may end as well
  const [code] = waiting.exitCode === null ? await once(waiting, 'exit') : [waiting.exitCode]
  expect([code, await output]).toEqual(tells ? [7, '7\n'] : [1, ''])
  expectDeleted()
})

test('wait says that the status of a container that has ended long ago is not known, or tells it', async () => {
  startContainer('exit 7')
  const { end, stdout, stderr } = place.tool(['wait', place.id])
  if (stdout === '7\n') expect([end, stderr]).toEqual([7, ''])
  else {
    expect([end, stdout]).toEqual([1, ''])
    expect(stderr).toBe(
      `error: container "${place.id}" has ended, and its exit status is not known\n` +
        '  hint: begin to wait while it runs, on Linux 6.15 or newer; "run" has the status on every kernel\n',
    )
  }
  expectDeleted()
})
