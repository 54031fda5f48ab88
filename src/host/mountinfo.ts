/** The lines of a file of procfs, without empty ones. */
export function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** The mount point of a line of /proc/PID/mountinfo. @see man 5 proc_pid_mountinfo */
export const mountPointOf = (line: string): string => unescapeOctal(line.split(' ')[4] ?? '')

/** A field of mountinfo as it was before blanks, tabs, line breaks and backslashes were written in octal. */
export function unescapeOctal(field: string): string {
  if (!field.includes('\\')) return field
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
