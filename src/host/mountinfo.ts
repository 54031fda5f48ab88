import { joinDeviceNumber } from '../oci/device-number.ts'

/** Splits a text of procfs into lines, without empty ones. */
export function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** The mount point of a line of /proc/PID/mountinfo. @see man 5 proc_pid_mountinfo */
export const mountPointOf = (line: string): string => unescapeOctal(line.split(' ', 5)[4] ?? '')

/** The rest of a line of /proc/PID/mountinfo from the filesystem type on. */
export const typeOf = (line: string): string => line.slice(line.indexOf(separator) + separator.length)

/**
 * A line of /proc/PID/mountinfo without the fields that differ between mount namespaces: the first two, which number the
 * mount and its parent, and the optional ones before the separator, which number peer groups. The front
 * (native/front/kept.c) compares guards of mounts without the same fields.
 */
export function identityOf(line: string): string {
  const end = line.indexOf(separator)
  return line.slice(0, end).split(' ').slice(2, 6).join(' ') + line.slice(end)
}

const separator = ' - '

/** The device of a line of /proc/PID/mountinfo, `MAJOR:MINOR`, as a number like st_dev of stat(2). */
export function deviceOf(line: string): bigint {
  const [major = 0n, minor = 0n] = (line.split(' ')[2] ?? '0:0').split(':').map(BigInt)
  return joinDeviceNumber(major, minor)
}

/** Decodes a field of mountinfo, in which spaces, tabs, line feeds and backslashes are octal escapes. */
export function unescapeOctal(field: string): string {
  if (!field.includes('\\')) return field
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

/**
 * The lines of mountinfo whose mount is visible, so that its mount point leads to it. Paths are followed as in the kernel,
 * from the root over the mounts on each directory: a mount that another one hides is left out, whichever of them is older.
 *
 * @param mounts   /proc/self/mountinfo
 * @param isWanted selects lines for the result
 */
export function visibleMounts(mounts: string, isWanted: (line: string) => boolean): readonly string[] {
  const lines = linesOf(mounts)
  const wanted = lines.filter(isWanted)
  if (wanted.length === 0) return []
  const ids = new Set(lines.map((line) => line.split(' ', 1)[0] ?? ''))
  /** The id of a mount by `PARENT DIRECTORY`; the parent is '' for the root, whose parent is not listed. */
  const mountedOn = new Map(
    lines.map((line) => {
      const [id = '', parent = ''] = line.split(' ', 2)
      return [`${ids.has(parent) ? parent : ''} ${mountPointOf(line)}`, id] as const
    }),
  )
  return wanted.filter((line) => mountAt(mountPointOf(line), mountedOn) === line.split(' ', 1)[0])
}

/** The id of the mount that a path without links leads to. */
function mountAt(path: string, mountedOn: ReadonlyMap<string, string>): string {
  // Absolute paths begin at the process's root, not at a mount that was made on it later.
  let mount = mountedOn.get(' /') ?? ''
  let directory = ''
  for (const name of path.split('/').filter((part) => part !== '')) {
    directory += `/${name}`
    for (let next: string | undefined = mount; next !== undefined; next = mountedOn.get(`${mount} ${directory}`)) {
      mount = next
    }
  }
  return mount
}
