import { OciError } from '../errors.ts'
import type { Process } from '../oci/runtime-config.ts'
import { openFlags } from '../program/flags.ts'
import { op, type Step } from '../program/program.ts'
import type { CompileContext } from './context.ts'

/** Permissions to find a key, as keyrings(7) numbers them: its owner's, and everybody's. */
const mayFind = { owner: 0x80000, others: 0x8 } as const

/**
 * The session keyring of the container, made or, by `exec`, found by its name: a process that comes from another user
 * namespace is not its owner.
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
 * The labels the command will run with, by way of the host's procfs: the container's own /proc could be anything
 * (CVE-2019-16884).
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
 * The label of everything in the filesystems that are made for the container: `linux.mountLabel`.
 *
 * @throws OciError `ERR_CONFIG_UNSUPPORTED` the host has no SELinux, `ERR_CONFIG_INVALID`
 */
export function mountLabelOf({ config, facts }: Pick<CompileContext, 'config' | 'facts'>): string | undefined {
  const pointer = '/linux/mountLabel'
  const label = config.linux?.mountLabel
  if (!label) return undefined
  if (!facts.hasSELinux) throw disabled('SELinux', pointer)
  if (/["\\]/.test(label)) throw new OciError('ERR_CONFIG_INVALID', `"${label}" is not an SELinux label`, { pointer })
  return label
}

/** Data for mount(2) with the label, in quotes: it may have commas. */
export function withLabel(data: string, label: string | undefined): string {
  if (label === undefined) return data
  return `${data === '' ? '' : `${data},`}context="${label}"`
}

function disabled(what: string, pointer: string): OciError {
  return new OciError('ERR_CONFIG_UNSUPPORTED', `${what} is not enabled on this host`, {
    pointer,
    hint: 'remove the field, or enable it in the kernel',
  })
}

function writeAttribute(path: string, content: string, from: string): Step {
  return op('write_file', { at: 'proc', path, content, flags: openFlags.WRONLY, mode: 0 }, from)
}
