import { OciError } from '../errors.ts'
import { op, type Step } from '../program/program.ts'
import type { CompileContext } from './context.ts'
import { namespacesOf } from './namespaces.ts'

/** Sets the names of the host and of its domain, in a UTS namespace of the container's own. */
export function compileNames({ config }: CompileContext): readonly Step[] {
  const needsUts = (pointer: string): Step[] => {
    if (namespacesOf(config).some(({ type }) => type === 'uts')) return []
    throw new OciError('ERR_CONFIG_INVALID', `${pointer.slice(1)} would change that of the host`, {
      pointer,
      hint: 'add {"type": "uts"} to /linux/namespaces',
    })
  }
  return [
    ...(config.hostname ? [...needsUts('/hostname'), op('sethostname', { name: config.hostname }, '/hostname')] : []),
    ...(config.domainname
      ? [...needsUts('/domainname'), op('setdomainname', { name: config.domainname }, '/domainname')]
      : []),
  ]
}
