import { constants } from 'node:os'
import { OciError } from '../errors.ts'
import { outputDivider } from '../program/contract.ts'
import type { Step } from '../program/program.ts'
import { errorText } from './error-names.ts'
import { type HookOutput, quotedOutput } from './hook-output.ts'
import { type Failure, textOf } from './reported-failure.ts'

/** The error for a failed helper, in runc's words: `error running createRuntime hook #1: exit status 2, stdout: , stderr: no`. */
export function helperFailed(
  step: Step,
  errno: string,
  failure: Failure,
  pointer: string | undefined,
): OciError | undefined {
  if (step.from === '/linux/cgroupsPath') return systemdFailed(errno, failure, pointer)
  const [, kind, index] = /^\/hooks\/(\w+)\/(\d+)$/.exec(step.from) ?? []
  if (kind === undefined) return undefined
  const how = `${hookEnd(step, errno, failure)}${hasRun(errno) ? quotedOutput(outputOf(failure)) : ''}`
  return new OciError('ERR_HOOK', `error running ${kind} hook #${index}: ${how}`, { pointer })
}

/** True when a helper was started, and so may have written something. */
const hasRun = (errno: string): boolean => errno === 'ECHILD' || errno === 'ETIMEDOUT'

/** The output of a failed helper. */
function outputOf({ detail }: Failure): HookOutput {
  const [stdout = '', ...stderr] = detail.split(String.fromCharCode(outputDivider))
  return { stdout, stderr: stderr.join('') }
}

/** The output of a failed helper that is no hook: what it wrote to either. */
function saidBy(failure: Failure): string {
  const { stdout, stderr } = outputOf(failure)
  return `${stdout}${stderr}`.trim()
}

/** The error of newuidmap(1) or newgidmap(1), which state on standard error what they refuse. */
export function mapFailed(step: Step, errno: string, failure: Failure, pointer: string | undefined): OciError {
  const helper = textOf(step, 'helper')
  const said = saidBy(failure)
  const file = helper.endsWith('newgidmap') ? '/etc/subgid' : '/etc/subuid'
  return new OciError('ERR_PERMISSION', said === '' ? `${helper}: ${hookEnd(step, errno, failure)}` : said, {
    pointer,
    hint: `check that ${file} has these ids for you alone and once, and that ${helper} may gain privileges`,
  })
}

/** The error for a failure of CRIU: the first error in its log, which has more. */
export function criuFailed({ operands }: Step, errno: string, { detail, status }: Failure): OciError {
  const script = operands.script === null ? '' : ` before "${operands.script}"`
  const how =
    errno === 'EIO' ? `errno ${status}${detail === '' ? '' : `: ${detail.trim()}`}` : `it ended${script} (${errno})`
  return new OciError('ERR_CRIU', `criu failed: ${how}`, { hint: 'its log is in the directory of --work-path' })
}

/** The error for a failed request to systemd, from the log of this tool, which made the request. */
function systemdFailed(errno: string, failure: Failure, pointer: string | undefined): OciError {
  const output = saidBy(failure)
  const said = /"msg":("(?:[^"\\]|\\.)*")/.exec(output)?.[1]
  const text = said === undefined ? output : String(JSON.parse(said))
  return new OciError('ERR_SYSTEMD', text === '' ? `systemd could not be asked (${errno})` : text, { pointer })
}

function hookEnd(step: Step, errno: string, failure: Failure): string {
  const signal = failure.status & 0x7f
  const status = failure.status >> 8
  if (errno === 'ETIMEDOUT') return 'context deadline exceeded: it took longer than its timeout'
  if (errno !== 'ECHILD') return `${errorText(failure.error)} (${errno})`
  if (signal !== 0) return `signal: ${signalName(signal)}`
  return status === 127 ? `"${textOf(step, 'path')}" cannot be executed (exit status 127)` : `exit status ${status}`
}

/** The name of a signal, in runc's words where callers match them. */
function signalName(signal: number): string {
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0]
  return name === 'SIGSYS' ? 'bad system call' : (name ?? String(signal))
}
