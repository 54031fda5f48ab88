import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { isSystemError } from '../../../errors.ts'

/** One thing of the host: whether it works, and what would change that. */
export interface Finding {
  readonly name: string
  /** `missing` is in the way of nothing but what is said; `failed` is in the way of plain use. */
  readonly status: 'works' | 'missing' | 'failed'
  /** The facts that were found; where something does not work, also its use. */
  readonly says: string
  /** The command that changes it, where there is one. */
  readonly fix?: string | undefined
}

export interface Caller {
  readonly euid: number
  readonly name: string
  readonly env: NodeJS.ProcessEnv
  /** Directory of the store. */
  readonly store: string
  readonly root: string | undefined
}

/** The text of a file; undefined where it cannot be read. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (!isSystemError(error)) throw error
    return undefined
  }
}

/** The path of a program in PATH, and in the directories that PATH of a user often lacks. */
export function findProgram(name: string, { env }: Pick<Caller, 'env'>): string | undefined {
  const directories = [...(env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'].filter(Boolean)
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path) && isExecutable(path))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    if (!isSystemError(error)) throw error
    return false
  }
}

/** Names of packages where they are not the same everywhere. */
const packages: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  uidmap: { 'dnf install': 'shadow-utils', 'apk add': 'shadow-uidmap', 'pacman -S': 'shadow' },
}

/** The command that installs a package of Debian's, in the words of this host. */
export function install(name: string): string {
  const release = textOf('/etc/os-release') ?? ''
  const kinds = (/^ID=(.*)$/m.exec(release)?.[1] ?? '') + (/^ID_LIKE=(.*)$/m.exec(release)?.[1] ?? '')
  const manager = /fedora|rhel|centos/.test(kinds)
    ? 'dnf install'
    : /alpine/.test(kinds)
      ? 'apk add'
      : /arch/.test(kinds)
        ? 'pacman -S'
        : 'apt-get install'
  return `sudo ${manager} ${packages[name]?.[manager] ?? name}`
}
