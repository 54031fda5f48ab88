import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { call } from './call.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cli-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

/** The one line of text that says `message`, quoted as the log quotes it. */
const line = (message: string) => {
  const literal = message.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  return new RegExp(`^time="\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ" level=error msg=${literal}\n$`)
}

describe('help', () => {
  test.each([[[]], [['-h']], [['--help']], [['-help']], [['help']], [['h']]])('%j lists the commands', async (args) => {
    const { status, stdout, stderr } = await call(args)
    const lines = stdout.split('\n')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(lines[0]).toBe('NAME:')
    expect(lines[1]).toContain('bundle-tool - Open Container Initiative runtime')
    for (const { name } of commands) expect(stdout).toMatch(new RegExp(`^   ${name} +\\S`, 'm'))
    expect(stdout).toContain('--log-format value')
  })

  test.each(commands.map(({ name }) => name))('%s -h and --help say how it is called', async (name) => {
    for (const args of [
      [name, '-h'],
      [name, '--help'],
      ['--root', '/x', name, '--help'],
      ['help', name],
    ]) {
      const { status, stdout, stderr } = await call(args)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout.split('\n').slice(0, 2)).toEqual(['NAME:', expect.stringMatching(`^   bundle-tool ${name} - .`)])
      expect(stdout).toContain(`\nUSAGE:\n   bundle-tool ${name}`)
      expect(stdout.match(/^ {7,}.*\bbundle-tool .*$/gm)?.length).toBeGreaterThanOrEqual(2)
      expect(stdout.split('\n').filter((text) => text.length > 120)).toEqual([])
    }
  })

  test('the tool goes by the name it is called by', async () => {
    expect((await call(['-h'], 'runc')).stdout.split('\n')[1]).toContain('runc - Open Container Initiative runtime')
    expect((await call(['state', '-h'], 'runc')).stdout.split('\n')[1]).toContain('runc state')
  })

  test.each([[['foo']], [['foo', '-h']], [['--debug=false', 'foo', 'bar']]])('%j is no help topic', async (args) => {
    const { status, stdout, stderr } = await call(args)
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' })
    expect(stderr).toMatch(line(`"No help topic for 'foo'; see \\"bundle-tool --help\\""`))
  })
})

test.each(['-v', '--version', '-version'])('%s prints the lines that engines read', async (flag) => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  const commit = readFileSync(join(import.meta.dirname, '../../dist/bin/commit'), 'utf8').trim()
  const { status, stdout } = await call([flag])
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: `bundle-tool version ${version}\ncommit: ${commit}\nspec: 1.3.0\n`,
  })
})

describe('flags', () => {
  test.each([
    [['spec', '-b', 'DIR']],
    [['spec', '-bundle', 'DIR']],
    [['spec', '--bundle', 'DIR']],
    [['spec', '-bundle=DIR']],
    [['spec', '--bundle=DIR']],
    [['spec', '-b=DIR']],
    [['spec', '--b=DIR']],
    [['-debug=false', '-root=/x', 'spec', '-rootless=0', '-b', 'DIR']],
  ])('%j writes config.json', async (args) => {
    const result = await call(args.map((arg) => arg.replace('DIR', directory)))
    expect(result).toEqual({ status: 0, stdout: '', stderr: '' })
    const { linux } = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'))
    expect(linux.uidMappings).toBeUndefined()
  })

  test.each([['-rootless'], ['--rootless'], ['--rootless=true'], ['-rootless=1']])('%s is set', async (flag) => {
    await call(['spec', flag, '-b', directory])
    const { linux } = JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'))
    expect(linux.uidMappings).toHaveLength(1)
  })

  test.each([
    [['spec', '--bogus'], '"flag provided but not defined: -bogus; see \\"bundle-tool spec --help\\""'],
    [['--bogus=1', 'spec'], '"flag provided but not defined: -bogus; see \\"bundle-tool --help\\""'],
    [['create', '--pid-file'], '"flag needs an argument: -pid-file; see \\"bundle-tool create --help\\""'],
    [['kill', '--all=maybe', 'x'], '"invalid boolean value \\"maybe\\" for -all; see \\"bundle-tool kill --help\\""'],
    [['--log-format', 'xml', 'list'], '"invalid log-format: xml; use text or json"'],
    [['state'], `"missing required argument 'container-id'; see \\"bundle-tool state --help\\""`],
    [['list', '-f', 'xml'], '"invalid format option \\"xml\\""'],
    [['--root', '/', 'list'], '"the root for container state must not be \\"/\\""'],
    [['--rootless', 'maybe', 'list'], expect.anything()],
    [['state', 'a', 'b'], expect.anything()],
    [['run', 'a', 'b', 'c'], expect.anything()],
    [['run', '-b', 'a', 'b', 'c'], '"the bundle is given twice, as \\"b\\" and with --bundle as \\"a\\""'],
    [['create', '--preserve-fds', '-1', 'c'], expect.anything()],
  ])('%j is refused in one line, as runc does', async (args, message) => {
    const { status, stdout, stderr } = await call(args)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(typeof message === 'string' ? line(message) : /^time="[^\n]+\n$/)
  })

  test.each([
    [
      ['explain', '--bogus'],
      'error: flag provided but not defined: -bogus\n  hint: see "bundle-tool explain --help"\n',
    ],
    [
      ['pull', 'alpine'],
      `error: required option '-o, --out <bundle>' not specified\n  hint: see "bundle-tool pull --help"\n`,
    ],
    [['unpack', '--out', 'x'], `error: missing required argument 'source'\n  hint: see "bundle-tool unpack --help"\n`],
  ])('%j is refused in words, with exit code 2', async (args, stderr) => {
    expect(await call(args)).toEqual({ status: 2, stdout: '', stderr })
  })
})

describe('errors', () => {
  const missing = ['state', 'nonexistent']

  test('are a line of text for runtime commands', async () => {
    const { status, stderr } = await call(['--root', directory, ...missing])
    expect(status).toBe(1)
    expect(stderr).toMatch(/^time="[^"]+" level=error msg="container does not exist.*"\n$/)
  })

  test('are a JSON object with --log-format json, also for a wrong flag', async () => {
    for (const args of [missing, ['create', '--bogus']]) {
      const { stderr } = await call(['--root', directory, '--log-format', 'json', ...args])
      expect(stderr.endsWith('\n')).toBe(true)
      expect(Object.keys(JSON.parse(stderr))).toEqual(['level', 'msg', 'time'])
    }
  })

  test('are appended to --log, and repeated bare on stderr', async () => {
    const file = join(directory, 'log.json')
    writeFileSync(file, 'before\n', { mode: 0o600 })
    const { stderr } = await call(['--root', directory, '--log', file, '--log-format=json', ...missing])
    const [before, entry = '', end] = readFileSync(file, 'utf8').split('\n')
    expect([before, end]).toEqual(['before', ''])
    expect(stderr).toBe(`${JSON.parse(entry).msg}\n`)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test('a new log file has mode 0644 and is there without an error', async () => {
    const file = join(directory, 'log')
    await call(['--root', directory, '--log', file, 'list'])
    expect(readFileSync(file, 'utf8')).toBe('')
    expect((statSync(file).mode & 0o777).toString(8)).toBe((0o644 & ~process.umask()).toString(8))
  })

  test('a log file that cannot be opened is the error', async () => {
    const { status, stderr } = await call(['--log', join(directory, 'none/log'), 'list'])
    expect(status).toBe(1)
    expect(stderr).toContain('level=error')
    expect(stderr).toContain('ENOENT')
  })

  test('are words for commands for people, a line with --log-format json', async () => {
    const { status, stderr } = await call(['unpack', join(directory, 'none.tar'), '--out', join(directory, 'bundle')])
    expect(status).toBe(1)
    expect(stderr).toMatch(/^error: .*none\.tar/)
    const logged = await call([
      '--log-format',
      'json',
      'unpack',
      join(directory, 'none.tar'),
      '--out',
      join(directory, 'b'),
    ])
    expect(JSON.parse(logged.stderr).level).toBe('error')
  })

  test('of config.json name the field, once', async () => {
    writeFileSync(join(directory, 'config.json'), '{"ociVersion": "1.3.0", "process": {"args": ["a"], "cwd": "b"}}')
    const { status, stderr } = await call(['--root', join(directory, 'root'), 'run', directory, 'demo'])
    expect(status).toBe(1)
    expect(stderr.match(/process\/cwd/g)).toHaveLength(1)
    expect(stderr).toContain('/root: is missing')
  })

  test('with --debug come with the place in the code', async () => {
    const { stderr } = await call(['--debug', '--root', directory, ...missing])
    expect(stderr).toMatch(/level=debug msg="OciError: container does not exist.*\\n +at /)
    expect(stderr.trimEnd().split('\n').at(-1)).toContain('level=error')
  })
})

test('list is empty for an empty root', async () => {
  const header = 'ID          PID         STATUS      BUNDLE      CREATED     OWNER\n'
  expect(await call(['--root', directory, 'list'])).toEqual({ status: 0, stdout: header, stderr: '' })
  expect((await call(['--root', directory, 'list', '-f', 'json'])).stdout).toBe('null\n')
  expect((await call(['--root', directory, 'list', '-q'])).stdout).toBe('')
})
