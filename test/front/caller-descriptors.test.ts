import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { callBy, front, wayNames, ways } from './ways.ts'
import { nodeStarted } from './without-node.ts'

const { test } = requires('root', 'busybox', 'unshare')

let place: ContainerPlace
let shared: string
beforeEach(() => {
  place = new ContainerPlace()
  shared = join(place.directory, 'shared')
  mkdirSync(shared)
})
afterEach(() => place.close())

const done = { end: 0, stdout: '', stderr: '' }
const remove = (): void => {
  place.tool(['delete', '-f', place.id])
}

/** Every way to close some of descriptors 0 to 2, the one of closing none among them. */
const closings = Array.from({ length: 8 }, (_, bits) => ({ closed: [0, 1, 2].filter((fd) => (bits >> fd) & 1) }))
const close = (fds: readonly number[]): string => fds.map((fd) => `${fd}>&-`).join(' ')

/** Writes what the descriptors of the process are into a file of the host. */
const showDescriptors = '(for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done) > /shared/descriptors; exit 0'
const shown = (): readonly string[] => readFileSync(join(shared, 'descriptors'), 'utf8').trimEnd().split('\n')

function configure(script: string): void {
  const { mounts = [] } = place.configure(script)
  const mount = { destination: '/shared', source: shared, options: ['bind', 'rw'] }
  place.configure(script, { config: { mounts: [...mounts, mount] } })
}

/** Expects the null device for descriptors that are closed, and for the others those of the caller. */
function expectSafe(descriptors: readonly string[], closed: readonly number[], others: RegExp): void {
  expect(descriptors).toHaveLength(3)
  for (const [fd, link] of descriptors.entries()) {
    if (closed.includes(fd) || fd === 0) expect(link, `descriptor ${fd}`).toBe('/dev/null')
    else expect(link, `descriptor ${fd}`).toMatch(others)
  }
}

describe.each(wayNames)('by %s', (way) => {
  test.each(closings)('of a container, closed descriptors are the null device: $closed', ({ closed }) => {
    const redirections = `</dev/null ${close(closed)}`
    configure(showDescriptors)
    expect(callBy(way, place, ['run', '-b', place.bundle, place.id], { redirections })).toEqual(done)
    expectSafe(shown(), closed, /^pipe:/)

    configure('sleep 1000')
    const create = ['create', '-b', place.bundle, place.id]
    expect(callBy(way, place, create, { redirections, undo: remove })).toEqual(done)
    const script = 'for fd in 0 1 2; do readlink /proc/1/fd/$fd; done; ls /proc/1/fd/0/../../.. 2>/dev/null'
    const seen = place
      .tool(['exec', '--cap', 'CAP_SYS_PTRACE', place.id, 'sh', '-c', script])
      .stdout.trimEnd()
      .split('\n')
    expectSafe(seen.slice(0, 3), closed, /by-(out|err)$/)
    expect(seen.slice(3)).toEqual([])

    expect(place.tool(['start', place.id])).toEqual(done)
    expect(callBy(way, place, ['exec', place.id, 'sh', '-c', showDescriptors], { redirections })).toEqual(done)
    expectSafe(shown(), closed, /^pipe:/)
  })

  test('a directory as a standard descriptor is refused', () => {
    place.configure('sleep 1000')
    expect(place.tool(['run', '-d', '-b', place.bundle, place.id])).toEqual(done)
    const other = `${place.id}-2`
    for (const [fd, name] of ['standard input', 'standard output', 'standard error'].entries()) {
      const log = join(place.directory, 'log')
      for (const words of [
        ['run', '-b', place.bundle, other],
        ['run', '-d', '-b', place.bundle, other],
        ['create', '-b', place.bundle, other],
        ['exec', place.id, 'true'],
        ['exec', '-d', place.id, 'true'],
      ]) {
        writeFileSync(log, '')
        const redirections = `</dev/null ${fd}</`
        const { end } = callBy(way, place, ['--log', log, ...words], { redirections, isDirect: true })
        // The error of a kept program is put into words by Node.js.
        const refusal = ways[way].keeps ? nodeStarted.status : words[0] === 'exec' ? 255 : 1
        expect({ words, fd, end }).toEqual({ words, fd, end: refusal })
        if (!ways[way].keeps) expect(readFileSync(log, 'utf8')).toContain(`${name} is a directory`)
        expect(place.states()).toEqual([place.id])
      }
    }
  })
})

test('where there is no /dev/null, closed descriptors are refused', () => {
  const script = 'mount -t tmpfs none /dev && exec "$@" <&-'
  const run = ['--root', place.root, 'run', '-b', place.bundle, place.id]
  place.configure('exit 0')
  const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', front, ...run], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'bundle-tool: standard input or output is closed, and /dev/null cannot be opened in its place\n',
  })
  expect(place.leftovers()).toEqual([])
})

test.each(closings)('of a program that calls the library: $closed', ({ closed }) => {
  configure(showDescriptors)
  const program = join(place.directory, 'program.mjs')
  const library = join(import.meta.dirname, '../../dist/bin/index.mjs')
  const options = { id: place.id, bundle: place.bundle, root: place.root }
  const runs = [{}, {}, { stdio: { stdin: 'ignore' } }].map(
    (more) => `await run(${JSON.stringify({ ...options, ...more })})`,
  )
  writeFileSync(program, `import { run } from ${JSON.stringify(library)}\n${runs.join('\n')}\n`)
  const command = `exec "$@" </dev/null ${close(closed)}`
  const { status } = spawnSync('/bin/sh', ['-c', command, 'sh', process.execPath, program], { timeout: 20_000 })
  expect(status).toBe(0)
  expectSafe(shown(), closed, /^(pipe|socket):/)
})
