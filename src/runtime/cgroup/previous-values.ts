/**
 * The values that restore a control file after a write.
 *
 * @param written the value that is written: for the whole file, or for the key, such as a device, at its beginning
 * @param content the file's content before the write
 * @returns one value for each write(2); none when the file was empty
 */
export function previousValues(written: string, content: string): readonly string[] {
  const lines = content.split('\n').filter((line) => line !== '')
  const [key = ''] = written.split(' ')
  const isKeyed = /^\d+:\d+$/.test(key) || lines.some((line) => line.startsWith(`${key} `))
  if (isKeyed && written.includes(' ')) {
    const line = lines.find((candidate) => candidate.startsWith(`${key} `))
    return [line ?? unset(written)]
  }
  const killDisabled = /^oom_kill_disable (\d)$/m.exec(content)
  if (killDisabled?.[1] !== undefined) return [killDisabled[1]]
  const [first] = lines
  return first === undefined ? [] : [first]
}

/** The same key without a limit: `8:0 rbps=max`, `8:0 0`. */
function unset(written: string): string {
  const [key = '', ...rest] = written.split(' ')
  return [key, ...rest.map((item) => (item.includes('=') ? `${item.replace(/=.*/, '')}=max` : '0'))].join(' ')
}
