import { OciError } from '../errors.ts'
import type { Process } from '../oci/runtime-config.ts'
import { openFlags } from '../program/flags.ts'
import { op, type Step } from '../program/program.ts'
import type { CompileContext } from './context.ts'

/**
 * The labels the command will run with, by way of the host's procfs: the container's own /proc could be anything
 * (CVE-2019-16884).
 */
export function compileLabels({ apparmorProfile, selinuxLabel }: Process, { facts }: CompileContext): readonly Step[] {
  const write = (path: string, content: string, from: string): Step =>
    op('write_file', { at: 'proc', path, content, flags: openFlags.WRONLY, mode: 0 }, from)
  const refuse = (what: string, pointer: string): never => {
    throw new OciError('ERR_CONFIG_UNSUPPORTED', `${what} is not enabled on this host`, {
      pointer,
      hint: 'remove the field, or enable it in the kernel',
    })
  }
  const steps: Step[] = []
  if (apparmorProfile) {
    if (!facts.hasAppArmor) refuse('AppArmor', '/process/apparmorProfile')
    steps.push(write('self/attr/apparmor/exec', `exec ${apparmorProfile}`, '/process/apparmorProfile'))
  }
  if (selinuxLabel) {
    if (!facts.hasSELinux) refuse('SELinux', '/process/selinuxLabel')
    steps.push(write('self/attr/exec', selinuxLabel, '/process/selinuxLabel'))
  }
  return steps
}
