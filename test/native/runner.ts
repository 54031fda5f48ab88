import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { encode } from '../../src/program/encode.ts'
import { cloneFlags, mountFlags } from '../../src/program/flags.ts'
import type { OpName } from '../../src/program/ops.ts'
import { type HostStep, numbered, op, type Program, type Step, undoable } from '../../src/program/program.ts'
import { parseReports } from '../../src/runtime/execute.ts'
import { syscallName } from '../../src/runtime/syscall-names.ts'

/** The runner that `npm run build` made. */
export const runnerPath = process.env.BUNDLE_TOOL_RUNNER ?? join(import.meta.dirname, '../../dist/bundle-tool-runner')

const kindNames = ['', 'ready', 'failed', 'undo failed', 'exited', 'refused'] as const

/** The runner's message on its report descriptor; `step` is an address of the program, `error` a name of errno. */
export interface RunnerReport {
  readonly kind: (typeof kindNames)[number]
  readonly step: number
  readonly error: string
  /** The system call that failed, or `none`. */
  readonly call: string
  readonly status: number
  /** How the new process ended, as wait4(2) says it, where that was before it was killed. */
  readonly end: number | undefined
  readonly detail: string
}

export interface Execution {
  /** The exit code, or the name of the signal that ended the runner. */
  readonly end: number | NodeJS.Signals | null
  readonly reports: readonly RunnerReport[]
  readonly stdout: string
  readonly stderr: string
}

export interface ExecuteOptions {
  readonly id?: string
  readonly input?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Permissions of the program's file. */
  readonly mode?: number
  /** Run as this user. */
  readonly user?: number
  /** Whom the program's file belongs to. */
  readonly owner?: number
  readonly timeoutMs?: number
  /** A command that runs the runner, whose path and arguments come behind these words. */
  readonly under?: readonly string[]
  /** Where the runner's stdin comes from instead of `input`. */
  readonly stdinFile?: string
  /** Where the runner's stdout goes instead of into the execution. */
  readonly stdoutFile?: string
}

let workplace = ''
beforeAll(() => {
  workplace = mkdtempSync(join(tmpdir(), 'native-'))
})
afterAll(() => rmSync(workplace, { recursive: true, force: true }))

/** Hands an encoded program to the runner, in a file, and waits for its end. */
export function executeImage(image: Uint8Array, options: ExecuteOptions = {}): Execution {
  const path = join(workplace, 'program')
  rmSync(path, { force: true })
  writeFileSync(path, image, { mode: 0o600 })
  const fd = openSync(path, 'r')
  const input = options.stdinFile === undefined ? 'pipe' : openSync(options.stdinFile, 'r')
  const output = options.stdoutFile === undefined ? 'pipe' : openSync(options.stdoutFile, 'w', 0o600)
  if (options.mode !== undefined) chmodSync(path, options.mode)
  if (options.owner !== undefined) chownSync(path, options.owner, options.owner)
  try {
    const [command = '', ...args] = [...(options.under ?? []), runnerPath, '3', '4', options.id ?? 'native-test']
    const result = spawnSync(command, args, {
      stdio: [input, output, 'pipe', fd, 'pipe'],
      ...(input === 'pipe' ? { input: options.input ?? '' } : {}),
      timeout: options.timeoutMs ?? 10_000,
      killSignal: 'SIGKILL',
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
    })
    const [, stdout, stderr, , reports] = result.output.map((part) =>
      part === null ? Buffer.alloc(0) : Buffer.from(part),
    )
    return {
      end: result.signal ?? result.status,
      reports: namedReports(reports ?? Buffer.alloc(0)),
      stdout: (stdout ?? '').toString(),
      stderr: (stderr ?? '').toString(),
    }
  } finally {
    closeSync(fd)
    for (const file of [input, output]) if (typeof file === 'number') closeSync(file)
  }
}

export function execute(program: Program, options?: ExecuteOptions): Execution {
  return executeImage(encode(program), options)
}

function namedReports(bytes: Buffer): readonly RunnerReport[] {
  return parseReports(bytes).map(({ kind, step, error, syscall, status, end, detail }) => ({
    kind: kindNames[kind] ?? '',
    step,
    error: errorName(error),
    call: syscallName(syscall) ?? 'none',
    status,
    end: end === 0 ? undefined : end - 1,
    detail,
  }))
}

function errorName(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? String(errno)
}

/** A program of host steps alone. */
export function hostProgram(...steps: readonly (Step | HostStep)[]): Program {
  return { host: steps.map((step) => ('undo' in step ? step : undoable(step))), stage: [], child: [] }
}

/** A program whose steps run in a new process, which the host waits for. */
export function childProgram(flags: number, ...steps: readonly Step[]): Program {
  return {
    host: [
      undoable(op('clone', { flags, cgroup: null }), op('kill_child', {})),
      undoable(op('supervise', { terminal: null, keep: 0, unheard: 0 })),
    ],
    stage: [],
    child: steps,
  }
}

/** Like `childProgram`, in a mount namespace cut off from the host's. */
export function mountProgram(...steps: readonly Step[]): Program {
  const cutOff = mountFlags.PRIVATE | mountFlags.REC
  return childProgram(
    cloneFlags.NEWNS,
    op('mount', { source: null, target: null, path: '/', type: null, flags: cutOff, data: null }),
    ...steps,
  )
}

/** The last steps of a child that looks around: what `script` prints is the execution's stdout. */
export function look(script: string): readonly Step[] {
  const env = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin']
  return [op('find_command', { name: '/bin/sh', path: '' }), op('execve', { argv: ['sh', '-c', script], env })]
}

/** Checks that the program runs to its end, and gives what it printed. */
export function expectDone(program: Program, options?: ExecuteOptions): string {
  const { end, reports, stdout, stderr } = execute(program, options)
  const failures = reports.filter(({ kind }) => kind !== 'exited' && kind !== 'ready')
  const named = failures.map((report) => ({ ...report, op: numbered(program)[report.step]?.step.op }))
  expect({ end, failures: named, stderr }).toEqual({ end: 0, failures: [], stderr: '' })
  return stdout
}

/** Checks that the program fails at its (last) step of this op, with this error, and is undone without a complaint. */
export function expectFailure(program: Program, name: OpName, error: string, options?: ExecuteOptions): Execution {
  const execution = execute(program, options)
  const step = numbered(program).findLast((entry) => entry.step.op === name && entry.phase !== 'undo')?.address
  expect(execution.reports.map(({ kind, step: at, error: errno }) => ({ kind, at, errno }))).toEqual([
    { kind: 'failed', at: step, errno: error },
  ])
  expect(execution.end).toBe(1)
  return execution
}
