import { existsSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { OciError } from '../errors.ts'
import { argv0, reportKinds, variables } from '../program/contract.ts'
import { encode } from '../program/encode.ts'
import { numbered, type Program } from '../program/program.ts'
import { type CallPaths, registerValues } from './call-registers.ts'
import { type ExecuteOptions, type Execution, execute, type Outcome, type Report, successOf } from './execute.ts'
import { ownBinary } from './own-binary.ts'

export interface RunProgramOptions
  extends Pick<ExecuteOptions, 'cwd' | 'detached' | 'forwardSignals' | 'stdio' | 'drain' | 'abort'> {
  readonly id: string
  /** Paths of this call, which the program names by registers. */
  readonly paths?: CallPaths | undefined
  /** True to kill the container when this process ends, for a caller that waits for the container. Default false. */
  readonly endsWithCaller?: boolean | undefined
  /** The number of descriptors from 3 on that the container inherits. */
  readonly preserveFds?: number
  /** Descriptors of this process that the runner gets after these. */
  readonly descriptors?: readonly number[]
  /** Called when a step of the undo list failed: something may be left behind. */
  readonly onLeftover?: (message: string) => void
}

/**
 * Executes a program in the runner and waits for the runner's end.
 *
 * @throws OciError `ERR_RUNNER_MISSING`, `ERR_PROGRAM_INVALID`, or the error of `describeFailure` for the step that
 *   failed; everything the program did is then undone
 */
export async function runProgram(program: Program, options: RunProgramOptions): Promise<Outcome> {
  const image = encode(program, registerValues(options.paths ?? {}))
  const { preserveFds = 0, descriptors = [] } = options
  const inherited = [...Array.from({ length: preserveFds }, (_, index) => 3 + index), ...descriptors]
  const programFd = 3 + inherited.length
  const caller = options.endsWithCaller || options.abort ? [String(process.pid)] : []
  const execution = await execute(findRunner(), [String(programFd), String(programFd + 1), options.id, ...caller], {
    ...options,
    argv0: argv0.runner,
    descriptors: [...inherited, 'pipe', 'pipe'],
    feed: (child) => {
      const input = child.stdio[programFd] as Writable
      input.on('error', () => undefined) // a runner that refuses to start shows that by its exit code
      input.end(image)
    },
  })
  return await outcomeOf(program, execution, options)
}

/**
 * The path of the runner: the one in the environment variable, or else the binary of the package or of `npm run build`. It is to
 * be started as `argv0.runner`.
 * @throws OciError `ERR_RUNNER_MISSING`
 */
export function findRunner(): string {
  const path = process.env[variables.runner] ?? ownBinary('bundle-tool-runner')
  if (existsSync(path)) return path
  const front = ownBinary('bundle-tool') // which is the runner, too, where it is called so
  if (process.env[variables.runner] === undefined && existsSync(front)) return front
  throw new OciError('ERR_RUNNER_MISSING', `there is no runner for ${process.arch}: "${path}" does not exist`, {
    hint: `the package has x64 and arm64: build another with "npm run build" (needs a C compiler), or name one in ${variables.runner}`,
  })
}

/** The outcome of an execution of `program`. @throws OciError as `runProgram` */
export async function outcomeOf(
  program: Program,
  { reports, code }: Execution,
  options: RunProgramOptions,
): Promise<Outcome> {
  const find = (kind: number): Report | undefined => reports.find((report) => report.kind === kind)
  for (const report of reports) {
    if (report.kind === reportKinds.undoFailed)
      options.onLeftover?.((await failureOf(program, report, options)).message)
  }
  const failed = find(reportKinds.failed)
  if (failed) throw await failureOf(program, failed, options)
  const refused = find(reportKinds.refused)
  if (refused) {
    throw new OciError('ERR_PROGRAM_INVALID', `the runner refuses the program (error ${refused.error})`, {
      hint: 'use the runner of the same version: run "npm run build"',
    })
  }
  return successOf({ reports, code })
}

/**
 * The error for a failed step. Texts of a program have registers in braces, since one program serves many calls; they
 * are replaced by this call's values.
 */
async function failureOf(program: Program, report: Report, { id, paths = {} }: RunProgramOptions): Promise<OciError> {
  const { describeFailure } = await import('./failure.ts')
  const error = describeFailure(numbered(program), report)
  for (const [name, value] of Object.entries({ id, ...registerValues(paths) })) {
    error.message = error.message.replaceAll(`{${name}}`, () => value)
  }
  return error
}
