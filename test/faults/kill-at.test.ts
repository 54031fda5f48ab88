import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { reportKinds, structs, variables } from '../../src/program/contract.ts'
import { encode } from '../../src/program/encode.ts'
import type { Program } from '../../src/program/program.ts'
import { readProcesses, sendSignal } from '../../src/runtime/cgroup/cgroup.ts'
import { compileContainer } from '../../src/runtime/compile-container.ts'
import { parseReports, type Report } from '../../src/runtime/execute.ts'
import { findRunner, outcomeOf } from '../../src/runtime/runner.ts'
import { readContainer } from '../../src/runtime/state-file.ts'
import { buildTool } from '../c-tool.ts'
import { call as callTool } from '../cli/call.ts'
import { type ConfigChange, ContainerPlace, userNamespace } from '../container.ts'
import { library } from '../library.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'gcc')

/** At every so many system calls; FAULTS=1 strikes at all of them. */
const stride = Number(process.env.FAULTS ?? 7)

const toolPath = buildTool(join(import.meta.dirname, 'kill-at.c'))
let place: ContainerPlace
beforeEach(() => {
  process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')
  place = new ContainerPlace()
  mkdirSync(place.root)
})
afterEach(() => place.close())

const hostPids: ConfigChange = { linux: { namespaces: [{ type: 'mount' }, { type: 'uts' }] } }
const hook = (path: string): { path: string; args: string[] } => ({ path, args: [path, '-c', 'cat'] })
const hooks: ConfigChange = {
  config: {
    hooks: { createRuntime: [hook('/bin/sh')], createContainer: [hook('/bin/sh')], startContainer: [hook('/bin/sh')] },
  },
}

/** The runner is process 0, the new process that it makes process 1. */
const strikes = [
  { what: 'the runner, at its own', watched: 0, victim: 0 },
  { what: "the runner, at the new process's", watched: 1, victim: 0 },
  { what: 'the new process, at its own', watched: 1, victim: 1 },
  { what: "the new process, at the runner's", watched: 0, victim: 1 },
] as const

/** The numbers of the tool: the strike was made; the command ended before; there was nobody to strike yet. */
const [struck, notReached, nobodyThere] = [0, 3, 4]

test.each([
  ['a plain container', {}],
  ['one in a user namespace', userNamespace],
  ["one with the host's processes", hostPids],
  ['one with hooks', hooks],
] as const)(
  '%s: killed at any system call, nothing is left that delete does not clear, and the reason is told',
  { timeout: 300_000 },
  async (_, change) => {
    place.giveRootfsTo(change === userNamespace ? 100_000 : 0)
    place.configure('exec sleep 1000', change)
    const { program } = await compileContainer({ id: place.id, bundle: place.bundle, root: place.root }, 'create')
    for (const { what, watched, victim } of strikes) {
      let [reached, told] = [0, 0]
      for (let at = 1; ; at += stride) {
        const { status, call, reports } = killAt(watched, victim, at, encode(program))
        const where = `${what} ${at}th system call, number ${call}`
        expect(status, where).toBeOneOf([struck, notReached, nobodyThere])
        if (victim === 1 && status === struck) told += await expectReason(program, reports, where)
        const force = !existsSync(join(place.root, place.id))
        await library.remove({ root: place.root, id: place.id, force }).catch((error: unknown) => {
          throw new Error(`${where}: ${error instanceof Error ? error.message : error}`)
        })
        expect(place.leftovers(), where).toEqual([])
        if (status === notReached) break
        reached = at
      }
      expect(reached).toBeGreaterThan(50)
      if (victim === 1) expect(told).toBeGreaterThan(3)
    }
  },
)

/** @returns 1 when something failed, 0 when the process was killed after all was done */
async function expectReason(program: Program, reports: readonly Report[], where: string): Promise<number> {
  if (!reports.some(({ kind }) => kind === reportKinds.failed)) return 0
  const leftovers: string[] = []
  const onLeftover = (message: string): number => leftovers.push(message)
  await expect(outcomeOf(program, { reports, code: 1 }, { id: place.id, onLeftover }), where).rejects.toThrow(
    "the container's first process was killed by signal 9 while it was being set up",
  )
  expect(leftovers, where).toEqual([])
  return 1
}

test.each([
  ['a plain container', {}],
  ['one in a user namespace', userNamespace],
] as const)(
  'one more process in %s: killed at any system call, nothing is left, and the reason is told',
  { timeout: 300_000 },
  async (_, change) => {
    place.giveRootfsTo(change === userNamespace ? 100_000 : 0)
    place.configure('exec sleep 1000', change)
    expect(place.tool(['run', '--detach', '-b', place.bundle, place.id])).toMatchObject({ end: 0, stderr: '' })
    const { cgroupPaths, init } = readContainer(place.root, place.id)
    const others = () => readProcesses(cgroupPaths).filter((pid) => pid !== init.pid)
    const words = ['--root', place.root, 'exec', '--detach', place.id, 'sleep', '1000']
    let image = new Uint8Array()
    const handOver = (message: Uint8Array): void => {
      image = programOf(message)
    }
    expect(await callTool(words, 'bundle-tool', { handOver })).toMatchObject({ status: 0, stderr: '' })
    // In a user namespace the new process is made by another one.
    const target = change === userNamespace ? 2 : 1
    for (const { what, watched, victim } of strikes.filter((strike) => strike.victim > 0)) {
      let told = 0
      for (let at = 1; ; at += Math.min(stride, 2)) {
        const { status, call, reports } = killAt(watched && target, victim && target, at, image)
        const where = `${what} ${at}th system call, number ${call}`
        expect(status, where).toBeOneOf([struck, notReached, nobodyThere])
        const failed = reports.filter(({ kind }) => kind === reportKinds.failed)
        if (status === struck && failed.length > 0) {
          told++
          const { stderr } = await callTool(words, 'bundle-tool', { env: variablesOf(failed) })
          expect(stderr, where).toContain('the new process was killed by signal 9 while it was being set up')
        }
        for (const pid of others()) sendSignal(pid, 9)
        await vi.waitFor(() => expect(others(), where).toEqual([]), { timeout: 5000, interval: 1 })
        if (status === notReached) break
      }
      expect(told).toBeGreaterThan(0)
    }
  },
)

/** The variables by which the front tells the command line of the reports of a program. */
function variablesOf(reports: readonly Report[]): Readonly<Record<string, string>> {
  const names = (Object.keys(structs.report.fields) as (keyof Report)[]).filter((name) => name !== 'detail')
  const numbers = reports.flatMap((report) => names.map((name) => report[name]))
  const [reportDetail = '', leftoverDetail = ''] = reports.map(({ detail }) => detail)
  return {
    [variables.reports]: numbers.join(' '),
    [variables.reportDetail]: reportDetail,
    [variables.leftoverDetail]: leftoverDetail,
  }
}

/** The program in the message to the front. */
const programOf = (message: Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array(message.subarray(new DataView(message.buffer, message.byteOffset).getUint32(0, true)))

interface Strike {
  readonly status: number | null
  /** The number of the system call. */
  readonly call: string
  readonly reports: readonly Report[]
}

function killAt(watched: number, victim: number, at: number, program: Uint8Array): Strike {
  const [image, reports] = ['program', 'reports'].map((name) => join(place.directory, name)) as [string, string]
  writeFileSync(image, program, { mode: 0o600 })
  const [fd, report] = [openSync(image, 'r'), openSync(reports, 'w', 0o600)]
  try {
    const command = [String(watched), String(victim), String(at), findRunner(), '3', '4', place.id]
    const { status, stdout } = spawnSync(toolPath(), command, {
      stdio: ['ignore', 'pipe', 'inherit', fd, report],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    return { status, call: stdout.toString().trim(), reports: parseReports(readFileSync(reports)) }
  } finally {
    closeSync(fd)
    closeSync(report)
  }
}
