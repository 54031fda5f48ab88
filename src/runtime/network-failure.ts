import { OciError } from '../errors.ts'
import { networkPointer } from '../oci/network-annotations.ts'
import type { Step } from '../program/program.ts'
import { errorText } from './error-names.ts'

interface Failure {
  readonly error: number
  /** The text of the program, or of its answer. */
  readonly detail: string
}

/** The error of a program that was to be a container's way to the network, in its own words where it has said any. */
export function networkProgramFailed(step: Step, errno: string, failure: Failure): OciError | undefined {
  if (step.op === 'expect_process') return step.from === networkPointer ? hasEnded() : undefined
  if (step.op === 'ask') return portFailed(step, errno, failure)
  const [path = ''] = step.operands.argv as readonly string[]
  const name = path.slice(path.lastIndexOf('/') + 1)
  // A program also complains that it cannot reach syslog, which is of no interest.
  const said = failure.detail.split('\n').filter((line) => line.trim() !== '' && !line.includes('to syslog'))
  const how = errno === 'ETIMEDOUT' ? 'it is not ready after ten seconds' : errorText(failure.error)
  const text = errno === 'ECHILD' && said.length > 0 ? said.join('; ') : how
  return new OciError('ERR_CONTAINER_NETWORK', `${name}: ${text}`, { pointer: networkPointer, hint: hintFor(text) })
}

const hasEnded = (): OciError =>
  new OciError('ERR_CONTAINER_STATUS', 'the container whose network is to be joined has ended', {
    pointer: networkPointer,
    hint: 'start it first, or choose another network with "config --network"',
  })

function portFailed(step: Step, errno: string, { error, detail }: Failure): OciError {
  const { host_addr, host_port, proto } = JSON.parse(String(step.operands.request)).arguments
  const reason = errno === 'EPROTO' ? detail.trim() : errorText(error)
  return new OciError(
    'ERR_CONTAINER_NETWORK',
    `slirp4netns cannot publish port ${host_addr}:${host_port}/${proto}: ${reason}`,
    {
      pointer: step.from,
      hint: portHint,
    },
  )
}

const portHint = 'it may be in use, or be below 1024, which takes root'

function hintFor(text: string): string | undefined {
  if (/\btun\b/.test(text))
    return 'the caller must be able to open /dev/net/tun, which udev lets all do: chmod 666 /dev/net/tun'
  if (/bind|port/i.test(text)) return portHint
  return /routable|interface/i.test(text) ? 'the host needs a default route; or use --network host or none' : undefined
}
