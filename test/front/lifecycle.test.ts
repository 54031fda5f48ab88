import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, vi } from 'vitest'
import { recordFile, recordLines } from '../../src/program/contract.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { nodeStarted, variablesFor, withoutNode } from './without-node.ts'

const { test } = requires('root', 'busybox')

const front = join(import.meta.dirname, '../../bin/bundle-tool')

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => place.close())

/** Calls the front; unless `PATH` says otherwise without any Node.js that it could start. */
function call(args: readonly string[], path = withoutNode) {
  const { status, stdout, stderr } = spawnSync(front, ['--root', place.root, ...args], {
    env: variablesFor(path),
    encoding: 'utf8',
    timeout: 20_000,
  })
  return { status, stdout, stderr }
}
const callWithNode = (...args: readonly string[]) => call(args, dirname(process.execPath))

/** The form of times in both forms of the log. */
const logTime = /(?<=time="|"time":")\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(?=")/g
const withoutTime = (text: string) => text.replace(logTime, '')

const done = { status: 0, stdout: '', stderr: '' }
const needsNode = { status: nodeStarted.status, stdout: '', stderr: expect.stringContaining(nodeStarted.said) }

function create(change: ConfigChange = {}, script = 'sleep 100'): void {
  place.configure(script, change)
  expect(place.tool(['create', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
}

/** The state, which must be the same, byte for byte, with and without Node.js. */
function state(): Record<string, unknown> {
  const { stdout } = place.tool(['state', place.id])
  expect(call(['state', place.id])).toEqual({ status: 0, stdout, stderr: '' })
  return JSON.parse(stdout)
}

describe('without Node.js', () => {
  test('a container is shown, started, killed and deleted', async () => {
    create({ config: { annotations: { 'org.test': 'a "b"\n\\ é=', x: '', bundle: 'y' } } })
    expect(state()).toMatchObject({ status: 'created', id: place.id })
    expect(call(['start', place.id])).toEqual(done)
    const { pid } = state()
    expect(state()).toMatchObject({ status: 'running' })
    expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).toBe('sleep\u0000100\u0000')
    expect(call(['kill', place.id, '0'])).toEqual(done)
    expect(call(['kill', place.id, 'SIGKILL'])).toEqual(done)
    await vi.waitFor(() => expect(state()).toMatchObject({ status: 'stopped', pid: 0 }))
    expect(call(['delete', place.id])).toEqual(done)
    expect(place.leftovers()).toEqual([])
  })

  test('kill of a container that has ended is refused, in the same words', async () => {
    const log = join(place.directory, 'log')
    create({}, 'exit 0')
    call(['start', place.id])
    await vi.waitFor(() => expect(state()).toMatchObject({ status: 'stopped' }))
    // The record gone, the command line answers.
    const record = join(place.root, place.id, recordFile)
    const answer = (path: string, options: readonly string[], words: readonly string[]) => {
      const { status, stdout, stderr } = call([...options, 'kill', place.id, ...words], path)
      const text = existsSync(log) ? readFileSync(log, 'utf8') : ''
      rmSync(log, { force: true })
      const times = (stderr + text).match(logTime) ?? []
      for (const time of times) expect(Math.abs(Date.now() - Date.parse(time))).toBeLessThan(10_000)
      return { status, stdout, stderr: withoutTime(stderr), log: withoutTime(text), times: times.length }
    }
    const calls = [[], ['--log', log], ['--log-format', 'json'], ['--log', log, '--log-format', 'json']].flatMap(
      (options) => [[], ['KILL'], ['15'], ['0']].map((words) => ({ options, words })),
    )
    const own = calls.map(({ options, words }) => answer(withoutNode, options, words))
    renameSync(record, `${record}-kept`)
    const others = calls.map(({ options, words }) => answer(dirname(process.execPath), options, words))
    renameSync(`${record}-kept`, record)
    expect(own).toEqual(others)
    expect(own[0]).toMatchObject({ status: 1, stderr: expect.stringContaining('container not running'), times: 1 })
    expect(call(['--log', '/dev/full', 'kill', place.id])).toEqual(needsNode)
  })

  test('a process that is not the container’s any more gets no signal', async () => {
    create()
    call(['start', place.id])
    const record = join(place.root, place.id, '.front')
    const text = readFileSync(record, 'utf8')
    const { pid } = state()
    const startTime = text.split('\n')[2] ?? ''
    writeFileSync(record, text.replace(`\n${startTime}\n`, `\n${Number(startTime) - 1}\n`))
    expect(call(['kill', place.id, 'KILL'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('not running'),
    })
    expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('sleep\n')
    expect(JSON.parse(call(['state', place.id]).stdout)).toMatchObject({ status: 'stopped' })
    rmSync(record)
  })

  test.each([
    ['USR1', 10],
    ['SIGUSR2', 12],
    ['28', 28],
  ])('kill %s sends signal %i', async (name, number) => {
    create(
      { config: { root: { path: 'rootfs' } } },
      `trap 'echo ${number} > /got' ${number}; echo > /ready; while :; do sleep 0.05; done`,
    )
    call(['start', place.id])
    const file = (path: string) => join(place.bundle, 'rootfs', path)
    await vi.waitFor(() => expect(existsSync(file('ready'))).toBe(true))
    expect(call(['kill', place.id, name])).toEqual(done)
    await vi.waitFor(() => expect(readFileSync(file('got'), 'utf8')).toBe(`${number}\n`), 5000)
  })

  test.each(['--force', '-f'])('delete %s of what is gone, or never was, is done', (flag) => {
    expect(call(['delete', flag, place.id])).toEqual(done)
    create()
    expect(call(['delete', place.id])).toEqual(done)
    const log = join(place.directory, 'log')
    expect(call(['--log', log, '--log-format', 'json', 'delete', flag, place.id])).toEqual(done)
    expect(readFileSync(log, 'utf8')).toBe('')
    expect(call(['delete', place.id])).toEqual(needsNode)
    expect(call(['delete', flag, place.id, 'more'])).toEqual(needsNode)
    expect(call(['delete', flag, '../x'])).toEqual(needsNode)
  })

  test('delete ends a container that is created, and with --force one that runs', () => {
    create()
    expect(call(['delete', place.id])).toEqual(done)
    expect(place.leftovers()).toEqual([])
    create()
    call(['start', place.id])
    expect(call(['delete', '--force', place.id])).toEqual(done)
    expect(place.leftovers()).toEqual([])
  })

  test('a container is paused and resumed, whether it was started or not', () => {
    create()
    expect(call(['pause', place.id])).toEqual(done)
    expect(state()).toMatchObject({ status: 'paused' })
    expect(call(['resume', place.id])).toEqual(done)
    expect(state()).toMatchObject({ status: 'created' })
    call(['start', place.id])
    expect(call(['pause', place.id])).toEqual(done)
    expect(state()).toMatchObject({ status: 'paused', pid: expect.any(Number) })
    expect(place.tool(['resume', place.id])).toEqual({ end: 0, stdout: '', stderr: '' })
    expect(place.tool(['pause', place.id])).toEqual({ end: 0, stdout: '', stderr: '' })
    expect(call(['resume', place.id])).toEqual(done)
    expect(state()).toMatchObject({ status: 'running' })
  })

  test('a container that forks without end is paused as a whole, again and again', () => {
    create({}, 'while :; do (:) & (:) & wait; done')
    call(['start', place.id])
    for (let round = 0; round < 20; round++) {
      expect(callWithNode('pause', place.id)).toEqual(done)
      expect(call(['state', place.id]).stdout).toContain('"status": "paused"')
      expect(call(['resume', place.id])).toEqual(done)
    }
  })

  test('how a container is paused is what its record says, and nothing that the front knows', () => {
    create()
    const [control, proof] = ['control', 'proof'].map((name) => join(place.directory, name)) as [string, string]
    const record = join(place.root, place.id, recordFile)
    const lines = readFileSync(record, 'utf8').split('\n')
    const say = { freezer: control, thawed: 'go', frozen: 'stop', proof, proven: 'all stopped' }
    for (const [name, text] of Object.entries(say)) lines[(recordLines as readonly string[]).indexOf(name)] = text
    writeFileSync(record, lines.join('\n'))
    const statusWith = (content: string, more = 'x\n'): unknown => {
      writeFileSync(control, content)
      writeFileSync(proof, more)
      const { status, stdout } = call(['state', place.id])
      return status === 0 ? JSON.parse(stdout).status : 'left to Node.js'
    }
    expect(statusWith('go\n')).toBe('created')
    expect(statusWith('stop\n')).toBe('left to Node.js')
    expect(statusWith('stopping\n', 'all stopped\n')).toBe('left to Node.js')
    expect(statusWith('stop\n', 'x\nnot all stopped\nall stopped too\n')).toBe('left to Node.js')
    expect(statusWith('stop\n', 'x\nall stopped\n')).toBe('paused')
    expect(call(['resume', place.id])).toEqual(done)
    expect(readFileSync(control, 'utf8')).toMatch(/^go/)
    expect(statusWith('go\n', 'all stopped\n')).toBe('created')
    expect(call(['pause', place.id])).toEqual(done)
    expect(readFileSync(control, 'utf8')).toMatch(/^stop/)
    writeFileSync(control, 'go\n')
    expect(callWithNode('delete', '-f', place.id)).toEqual(done)
  })

  test('what engines write before the command is understood, and the log is made', () => {
    create()
    const log = join(place.directory, 'log')
    expect(call(['--log', log, '--log-format=json', 'start', place.id])).toEqual(done)
    expect(readFileSync(log, 'utf8')).toBe('')
  })
})

describe('to Node.js goes', () => {
  test('what fails, in its words', () => {
    create()
    call(['start', place.id])
    for (const args of [
      ['start', place.id],
      ['delete', place.id],
      ['kill', place.id, 'NONE'],
      ['kill', place.id, '18446744073709551625'],
      ['state', `${place.id}x`],
      ['state'],
      ['state', place.id, 'more'],
      ['resume', place.id],
      ['resume', place.id, 'more'],
      ['pause', place.id, 'more'],
      ['pause', `${place.id}x`],
      ['kill', '--', place.id, 'TERM', 'more'],
      ['--log-format', 'xml', 'state', place.id],
    ]) {
      expect(call(args)).toEqual(needsNode)
      const { end, stdout, stderr } = place.tool(args)
      const outcome = callWithNode(...args)
      expect({ ...outcome, stderr: withoutTime(outcome.stderr) }).toEqual({
        status: end,
        stdout,
        stderr: withoutTime(stderr),
      })
    }
  })

  test('a paused container, but to show and to resume it', () => {
    create()
    call(['start', place.id])
    expect(place.tool(['pause', place.id]).end).toBe(0)
    for (const args of [
      ['pause', place.id],
      ['start', place.id],
      ['kill', place.id, 'KILL'],
      ['delete', '-f', place.id],
    ]) {
      expect(call(args)).toEqual(needsNode)
    }
    expect(callWithNode('delete', '-f', place.id)).toEqual(done)
    expect(place.leftovers()).toEqual([])
  })

  test('a start with poststart hooks, a deletion with poststop hooks', () => {
    const hook = (kind: string) => [{ path: '/bin/sh', args: ['sh', '-c', `echo ${kind} >> ${place.directory}/hooks`] }]
    create({ config: { hooks: { poststart: hook('poststart'), poststop: hook('poststop') } } })
    expect(call(['start', place.id])).toEqual(needsNode)
    expect(callWithNode('start', place.id)).toEqual(done)
    expect(call(['delete', '-f', place.id])).toEqual(needsNode)
    expect(callWithNode('delete', '-f', place.id)).toEqual(done)
    expect(readFileSync(join(place.directory, 'hooks'), 'utf8')).toBe('poststart\npoststop\n')
  })

  test('the end of a container without a PID namespace of its own', () => {
    const namespaces = (['mount', 'ipc', 'uts', 'network'] as const).map((type) => ({ type }))
    create({ linux: { namespaces } }, 'sleep 77 & wait')
    expect(call(['start', place.id])).toEqual(done)
    expect(call(['kill', place.id, 'KILL'])).toEqual(needsNode)
    expect(call(['delete', '-f', place.id])).toEqual(needsNode)
    expect(callWithNode('delete', '-f', place.id)).toEqual(done)
    expect(place.leftovers()).toEqual([])
  })

  test('a container whose record is not there, is of another version, or may be another user’s', () => {
    create()
    const record = join(place.root, place.id, '.front')
    const text = readFileSync(record, 'utf8')
    writeFileSync(record, text.replace(/^3\n/, '2\n'))
    expect(call(['state', place.id])).toEqual(needsNode)
    for (const cut of [0, 1, 10, text.indexOf('\n\n'), text.indexOf('"id"')]) {
      writeFileSync(record, text.slice(0, cut))
      expect(call(['state', place.id])).toEqual(needsNode)
    }
    writeFileSync(record, text)
    expect(call(['state', place.id]).status).toBe(0)
    chownSync(record, 1000, 1000)
    expect(call(['state', place.id])).toEqual(needsNode)
    chownSync(record, 0, 0)
    renameSync(record, join(place.directory, 'record'))
    expect(call(['start', place.id])).toEqual(needsNode)
    expect(callWithNode('delete', place.id)).toEqual(done)
  })

  test('the deletion of a container with a directory in its own, which stays a container until all is gone', () => {
    create()
    call(['kill', place.id, 'KILL'])
    for (const name of ['a', 'm', 'z']) mkdirSync(join(place.root, place.id, name, 'deep'), { recursive: true })
    expect(call(['delete', place.id])).toEqual(needsNode)
    expect(place.tool(['state', place.id])).toMatchObject({ end: 0 })
    expect(callWithNode('delete', place.id)).toEqual(done)
    expect(place.leftovers()).toEqual([])
  })

  test('an option that looks like the ID of a container', () => {
    create()
    call(['start', place.id])
    const [own, dashed] = [place.id, '-a'].map((name) => join(place.root, name)) as [string, string]
    renameSync(own, dashed)
    expect(call(['kill', '-a', '9'])).toEqual(needsNode)
    renameSync(dashed, own)
    expect(state()).toMatchObject({ status: 'running' })
  })
})
