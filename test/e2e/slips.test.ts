import { describe, expect, test } from 'vitest'
import { forms, ImageCommands } from './image-command.ts'

/** The output and the end of a command; log lines without their time. */
async function said(form: readonly string[], ...args: readonly string[]) {
  using commands = new ImageCommands()
  const { status, stderr } = await commands.run(form, args)
  return { status, stderr: stderr.replace(/^time="[^"]*" /, '') }
}

const logged = (message: string): string => `level=error msg="${message.replaceAll('"', '\\"')}"\n`

describe.each(Object.entries(forms))('%s', (_, form) => {
  test.each([
    ['pul', 'pull'],
    ['runn', 'run'],
    ['ls', 'list'],
    ['rm', 'delete'],
  ])('%s is no command, and %s is what was meant', async (word, meant) => {
    const message = `No help topic for '${word}'; did you mean "${meant}"? see "bundle-tool --help"`
    expect(await said(form, word)).toEqual({ status: 3, stderr: logged(message) })
    expect(await said(form, word, 'list')).toEqual({ status: 3, stderr: logged(message) })
  })

  test('help and man know what was meant, too', async () => {
    const hint = `did you mean "pull"? see "bundle-tool --help"`
    expect(await said(form, 'help', 'pul')).toEqual({ status: 3, stderr: logged(`No help topic for 'pul'; ${hint}`) })
    expect(await said(form, 'man', 'pul')).toEqual({
      status: 3,
      stderr: `error: No help topic for 'pul'\n  hint: ${hint}\n`,
    })
  })

  test('an unknown flag leads to the nearest one and to the help of its command', async () => {
    expect(await said(form, 'pull', '--plattform', 'linux/arm64', 'x')).toEqual({
      status: 2,
      stderr: `error: flag provided but not defined: -plattform\n  hint: did you mean "--platform"? see "bundle-tool pull --help"\n`,
    })
    expect(await said(form, 'run', '--bundel', 'x')).toEqual({
      status: 1,
      stderr: logged(`flag provided but not defined: -bundel; did you mean "--bundle"? see "bundle-tool run --help"`),
    })
    expect(await said(form, 'list', '--nothing-like-it')).toEqual({
      status: 1,
      stderr: logged(`flag provided but not defined: -nothing-like-it; see "bundle-tool list --help"`),
    })
  })

  test.each(['-it', '-i', '-t', '--tty', '--interactive', '--rm'])(
    'run has no %s, and says what to do',
    async (flag) => {
      const { status, stderr } = await said(form, 'run', flag, 'demo')
      expect(status).toBe(1)
      expect(stderr).toMatch(/^level=error msg="flag provided but not defined: -[a-z]+; leave it out: .*--help\\""\n$/)
    },
  )

  test('short flags combine, and the last of them may have a value', async () => {
    for (const words of [['-qfo', 'x'], ['-qfo=x'], ['-fq', '-o', 'x']]) {
      const { stderr } = await said(form, 'pull', ...words, 'Upper')
      expect(stderr).toContain('"Upper" is not an image reference')
    }
    expect((await said(form, 'pull', '-oq', 'x', 'Upper')).stderr).toContain('flag provided but not defined: -oq')
  })
})
