import { posix } from 'node:path'
import type { Mount } from '../../oci/runtime-config.ts'
import { refusal } from './flag.ts'
import type { Surroundings } from './outside.ts'

/** Options of bind mounts, those of one line excluding each other. */
const bindChoices: readonly (readonly string[])[] = [
  ['ro', 'rw'],
  ['bind', 'rbind'],
  ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'],
  ['exec', 'noexec'],
  ['dev', 'nodev'],
  ['suid', 'nosuid'],
  ['z', 'Z'],
]

/** Options of tmpfs mounts, the same way. */
const tmpfsChoices: readonly (readonly string[])[] = [
  ['ro', 'rw'],
  ['noexec', 'exec'],
  ['nosuid', 'suid'],
  ['nodev', 'dev'],
]

export interface BindOptions {
  readonly bind: string
  readonly propagation: string
  readonly flags: readonly string[]
}

/** Reads the options of `-v`, separated by commas. */
export function parseBindOptions(options: string, { hasSELinux }: Surroundings): BindOptions {
  const chosen = chooseOptions(options, bindChoices)
  const [access, bind = 'rbind', propagation = 'rprivate', exec, dev, suid, label] = chosen
  if (label !== undefined && hasSELinux) {
    throw refusal(`files are not relabelled for "${label}"`, 'relabel them by "chcon -Rt container_file_t"')
  }
  const flags = [access === 'ro' ? access : undefined, exec, dev, suid]
  return { bind, propagation, flags: flags.filter((flag) => flag !== undefined) }
}

/** The option that is given of each line. */
function chooseOptions(options: string, choices: readonly (readonly string[])[]): readonly (string | undefined)[] {
  const given = options.split(',').filter((option) => option !== '')
  const wrong = given.find((option) => !choices.flat().includes(option))
  if (wrong !== undefined) throw refusal(`there is no option "${wrong}" for it`, `use ${choices.flat().join(', ')}`)
  return choices.map((line) => {
    const [option, ...others] = line.filter((one) => given.includes(one))
    if (others.length > 0) throw refusal(`"${option}" and "${others[0]}" exclude each other`)
    return option
  })
}

export interface Bind extends BindOptions {
  readonly source: string
  readonly target: string
}

/**
 * A bind mount of a path that is there.
 *
 * A source without a slash is refused, as it names a volume for an engine.
 */
export function bindMount({ source, target, bind, propagation, flags }: Bind, around: Surroundings): Mount {
  if (source === '') throw refusal('it names no source')
  if (!source.includes('/') && source !== '.' && source !== '..') {
    throw refusal(`the source is the name of a volume, which an engine keeps`, `use a path: ./${source}`)
  }
  const path = around.absolutePath(source)
  if (around.look(path) === undefined) throw refusal(`there is no "${path}" on this host`)
  return { destination: mountPoint(target), type: 'bind', source: path, options: [bind, propagation, ...flags] }
}

/** The place of a mount, without anything superfluous. */
export function mountPoint(target: string): string {
  if (!target.startsWith('/')) throw refusal(`the target "${target}" must be an absolute path in the container`)
  const path = posix.normalize(target).replace(/(?<=.)\/$/, '')
  if (path === '/') throw refusal('the target must not be the rootfs itself')
  return path
}

const tmpfsValue = /^(?:(?:size|nr_inodes)=\d+[kmgKMG%]?|mode=[0-7]{1,5}|[ug]id=\d{1,10})$/

/** Reads `TARGET[:OPTIONS]`; programs, device nodes and set-user-ID bits in it count for nothing unless it is asked for. */
export function parseTmpfs(value: string): Mount {
  const [target = '', options = '', ...rest] = value.split(':')
  if (rest.length > 0) throw refusal('it has too many colons')
  return tmpfsMount(target, options.split(','))
}

export function tmpfsMount(target: string, options: readonly string[]): Mount {
  const values = options.filter((option) => option.includes('='))
  const wrong = values.find((option) => !tmpfsValue.test(option))
  if (wrong !== undefined) throw refusal(`"${wrong}" is no option of it`, 'use size, mode, nr_inodes, uid and gid')
  const words = options.filter((option) => !option.includes('=')).join(',')
  const [access, exec = 'noexec', suid = 'nosuid', dev = 'nodev'] = chooseOptions(words, tmpfsChoices)
  const flags = [access === 'ro' ? access : undefined, exec, suid, dev].filter((flag) => flag?.match(/^no|^ro$/))
  const chosen = flags.filter((flag) => flag !== undefined)
  return { destination: mountPoint(target), type: 'tmpfs', source: 'tmpfs', options: [...chosen, ...values] }
}

/** The value of `--tmpfs` that makes a mount. */
export function showTmpfs({ destination, type, options = [] }: Mount): readonly string[] {
  if (type !== 'tmpfs' || destination.includes(':')) return []
  const negated = tmpfsChoices.slice(1).flatMap(([no = '', yes = '']) => (options.includes(no) ? [] : [yes]))
  const others = options.filter((option) => option === 'ro' || tmpfsValue.test(option))
  const words = [...negated, ...others].join(',')
  return [words === '' ? destination : `${destination}:${words}`]
}
