import { constants } from 'node:os'
import { OciError } from '../errors.ts'
import type { Step } from '../program/program.ts'
import { errorText } from './error-names.ts'
import { type Failure, textOf } from './reported-failure.ts'

/** The error for a failed helper, in runc's words: `error running createRuntime hook #1: exit status 2: its output`. */
export function helperFailed(
  step: Step,
  errno: string,
  failure: Failure,
  pointer: string | undefined,
): OciError | undefined {
  if (step.from === '/linux/cgroupsPath') return systemdFailed(errno, failure, pointer)
  const [, kind, index] = /^\/hooks\/(\w+)\/(\d+)$/.exec(step.from) ?? []
  if (kind === undefined) return undefined
  const output = failure.detail.trim()
  const how = hookEnd(step, errno, failure)
  return new OciError('ERR_HOOK', `error running ${kind} hook #${index}: ${how}${output === '' ? '' : `: ${output}`}`, {
    pointer,
  })
}

/** The error of newuidmap(1) or newgidmap(1), which state on standard error what they refuse. */
export function mapFailed(step: Step, errno: string, failure: Failure, pointer: string | undefined): OciError {
  const helper = textOf(step, 'helper')
  const said = failure.detail.trim()
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
function systemdFailed(errno: string, { detail }: Failure, pointer: string | undefined): OciError {
  const said = /"msg":("(?:[^"\\]|\\.)*")/.exec(detail)?.[1]
  const text = said === undefined ? detail.trim() : String(JSON.parse(said))
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
