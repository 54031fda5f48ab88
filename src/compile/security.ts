import { OciError } from '../errors.ts'
import type { Process } from '../oci/runtime-config.ts'
import { openFlags } from '../program/flags.ts'
import { op, type Step } from '../program/program.ts'
import type { CompileContext } from './context.ts'

/** Permissions to find a key, with the values of keyrings(7): for its owner, and for everybody. */
const mayFind = { owner: 0x80000, others: 0x8 } as const

/**
 * Steps that join the container's session keyring. The first process makes it; `exec` finds it by its name. With a user
 * namespace everybody may find it, since a process that comes from another user namespace is not its owner.
 */
export function compileKeyring({ selinuxLabel }: Process, context: CompileContext): readonly Step[] {
  if (context.noNewKeyring) return []
  const permissions = context.hasUserNamespace ? mayFind.others : mayFind.owner
  const join = op(
    'session_keyring',
    { name: ['_ses.', { register: 'id' }], permissions },
    '--no-new-keyring',
    'ENOSYS',
    'EDQUOT',
  )
  if (!selinuxLabel || !context.facts.hasSELinux) return [join]
  const label = (content: string): Step => writeAttribute('self/attr/keycreate', content, '/process/selinuxLabel')
  return [label(selinuxLabel), join, label('\n')]
}

/**
 * Steps that set the LSM labels with which the command will run. They write to the host's procfs, since the container's own
 * /proc could be anything (CVE-2019-16884).
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` the host has no AppArmor, or no SELinux
 */
export function compileLabels({ apparmorProfile, selinuxLabel }: Process, { facts }: CompileContext): readonly Step[] {
  const steps: Step[] = []
  if (apparmorProfile) {
    if (!facts.appArmor) throw disabled('AppArmor', '/process/apparmorProfile')
    steps.push(
      writeAttribute(`self/attr/${facts.appArmor.attribute}`, `exec ${apparmorProfile}`, '/process/apparmorProfile'),
    )
  }
  if (selinuxLabel) {
    if (!facts.hasSELinux) throw disabled('SELinux', '/process/selinuxLabel')
    steps.push(writeAttribute('self/attr/exec', selinuxLabel, '/process/selinuxLabel'))
  }
  return steps
}

/**
 * `linux.mountLabel`, the SELinux label of all files in the filesystems that are made for the container.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` the host has no SELinux; `ERR_CONFIG_INVALID` it contains a quote or backslash
 */
export function mountLabelOf({ config, facts }: Pick<CompileContext, 'config' | 'facts'>): string | undefined {
  const pointer = '/linux/mountLabel'
  const label = config.linux?.mountLabel
  if (!label) return undefined
  if (!facts.hasSELinux) throw disabled('SELinux', pointer)
  if (/["\\]/.test(label)) throw new OciError('ERR_CONFIG_INVALID', `"${label}" is not an SELinux label`, { pointer })
  return label
}

/** Adds the label to data for mount(2), in quotes, since it may contain commas. */
export function withLabel(data: string, label: string | undefined): string {
  if (label === undefined) return data
  return `${data === '' ? '' : `${data},`}context="${label}"`
}

function disabled(module: string, pointer: string): OciError {
  return new OciError('ERR_CONFIG_UNSUPPORTED', `${module} is not enabled on this host`, {
    pointer,
    hint: 'remove the field, or enable it in the kernel',
  })
}

function writeAttribute(path: string, content: string, from: string): Step {
  return op('write_file', { at: 'proc', path, content, flags: openFlags.WRONLY, mode: 0 }, from)
}
