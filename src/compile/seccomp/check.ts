import { OciError } from '../../errors.ts'
import type { Seccomp } from '../../oci/runtime-config.ts'
import { takesErrno } from './actions.ts'
import { isArchitectureName } from './architecture-names.ts'
import { seccompArchitectures } from './architectures.ts'
import { isFilterFlagName } from './flags.ts'

interface Problem {
  readonly pointer: string
  readonly message: string
}

/**
 * Checks that the fields of a profile fit together and fit the host, which the schema cannot check.
 *
 * @throws OciError `ERR_CONFIG_INVALID` with all problems and the pointer of the first
 * @see runtime-spec v1.3.0 config-linux.md "Seccomp"; runc for the restrictions of SCMP_ACT_NOTIFY
 */
export function checkSeccomp(seccomp: Seccomp, host: { readonly isBigEndian: boolean }): void {
  const problems = [
    ...architectureProblems(seccomp, host),
    ...flagProblems(seccomp),
    ...actionProblems(seccomp),
    ...notifyProblems(seccomp),
  ]
  const [first] = problems
  if (!first) return
  throw new OciError('ERR_CONFIG_INVALID', problems.map(({ message }) => message).join('; '), {
    pointer: `/linux/seccomp${first.pointer}`,
  })
}

/** True when a rule of the profile asks an agent. */
export function usesNotify({ syscalls = [] }: Seccomp): boolean {
  return syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY')
}

function architectureProblems({ architectures = [] }: Seccomp, host: { readonly isBigEndian: boolean }): Problem[] {
  return architectures.flatMap((name, index) => {
    const pointer = `/architectures/${index}`
    if (!isArchitectureName(name)) return { pointer, message: `string ${name} is not a valid arch for seccomp` }
    if (seccompArchitectures[name].isBigEndian === host.isBigEndian) return []
    return { pointer, message: `${name} has another byte order than this host` }
  })
}

function flagProblems(seccomp: Seccomp): Problem[] {
  return (seccomp.flags ?? []).flatMap((flag, index) => {
    const pointer = `/flags/${index}`
    if (!isFilterFlagName(flag)) return { pointer, message: `seccomp flag ${flag} is not known` }
    if (flag !== 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV' || usesNotify(seccomp)) return []
    return { pointer, message: `${flag} needs a rule with SCMP_ACT_NOTIFY` }
  })
}

function actionProblems({ defaultAction, defaultErrnoRet, syscalls = [] }: Seccomp): Problem[] {
  const noErrno = (action: string) => `${action} does not take an errno`
  return [
    ...(defaultErrnoRet === undefined || takesErrno(defaultAction)
      ? []
      : [{ pointer: '/defaultErrnoRet', message: noErrno(defaultAction) }]),
    ...syscalls.flatMap(({ action, errnoRet, names }, index) => [
      ...(errnoRet === undefined || takesErrno(action)
        ? []
        : [{ pointer: `/syscalls/${index}/errnoRet`, message: noErrno(action) }]),
      ...(names.includes('') ? emptyNames(names, index) : []),
    ]),
  ]
}

function emptyNames(names: readonly string[], entry: number): Problem[] {
  return names.flatMap((name, place) =>
    name === ''
      ? [{ pointer: `/syscalls/${entry}/names/${place}`, message: 'empty string is not a valid syscall' }]
      : [],
  )
}

/**
 * Problems of SCMP_ACT_NOTIFY. Under a filter that notifies on `write`, the runner's own write, with which it reports the
 * listener to the host, would wait forever for an agent that does not have the listener yet.
 */
function notifyProblems(seccomp: Seccomp): Problem[] {
  const { defaultAction, listenerPath, syscalls = [] } = seccomp
  const writes = syscalls.flatMap(({ action, names }, index) =>
    action === 'SCMP_ACT_NOTIFY' && names.includes('write') ? [`/syscalls/${index}/action`] : [],
  )
  return [
    ...(defaultAction === 'SCMP_ACT_NOTIFY'
      ? [{ pointer: '/defaultAction', message: 'SCMP_ACT_NOTIFY cannot be used as default action' }]
      : []),
    ...writes.map((pointer) => ({ pointer, message: 'SCMP_ACT_NOTIFY cannot be used for the write syscall' })),
    ...(usesNotify(seccomp) && !listenerPath
      ? [{ pointer: '/listenerPath', message: 'seccomp listenerPath is not set' }]
      : []),
  ]
}
