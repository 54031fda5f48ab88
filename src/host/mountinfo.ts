/** The lines of a file of procfs, without empty ones. */
export function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** The mount point of a line of /proc/PID/mountinfo. @see man 5 proc_pid_mountinfo */
export const mountPointOf = (line: string): string => unescapeOctal(line.split(' ')[4] ?? '')

/** The type of the file system of a line of /proc/PID/mountinfo. */
export const typeOf = (line: string): string => line.slice(line.indexOf(separator) + separator.length)

/**
 * A line of /proc/PID/mountinfo without what differs between mount namespaces: the first two fields, which number the mount
 * and its parent, and the optional ones before the separator, which number peer groups. The front (native/kept.c) takes the
 * same out.
 */
export function identityOf(line: string): string {
  const end = line.indexOf(separator)
  return line.slice(0, end).split(' ').slice(2, 6).join(' ') + line.slice(end)
}

const separator = ' - '

/** The number of the device of a line of /proc/PID/mountinfo, as stat(2) has it: makedev(3) of `MAJOR:MINOR`. */
export function deviceOf(line: string): bigint {
  const [major = 0n, minor = 0n] = (line.split(' ')[2] ?? '0:0').split(':').map(BigInt)
  return (minor & 0xffn) | ((major & 0xfffn) << 8n) | ((minor & ~0xffn) << 12n) | ((major & ~0xfffn) << 32n)
}

/** A field of mountinfo as it was before blanks, tabs, line breaks and backslashes were written in octal. */
export function unescapeOctal(field: string): string {
  if (!field.includes('\\')) return field
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
