import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { rewriteArguments } from '../../src/cli/arguments.ts'
import { readCall } from '../../src/cli/call-words.ts'
import { flagsOf, withCallOptions } from '../../src/cli/container-options.ts'
import { type Call, optionsOfCall } from '../../src/program/options.ts'

const calls: readonly Call[] = ['run', 'create', 'exec']

/** The same words, read by commander behind the rules of Go's flag package. */
function byCommander(call: Call, args: readonly string[]): unknown {
  const program = new Command().enablePositionalOptions()
  const command = withCallOptions(new Command(call), call).argument('[words...]')
  for (const each of [program, command]) each.exitOverride().configureOutput({ writeErr() {} })
  let read: unknown
  program.addCommand(
    command.action((_, found: Record<string, unknown>) => {
      read = { flags: flagsOf(call, found), words: command.args }
    }),
  )
  const { args: rewritten, problem } = rewriteArguments(program, [call, ...args])
  if (problem !== undefined) return undefined
  try {
    program.parse([...rewritten], { from: 'user' })
  } catch {
    return undefined
  }
  return read
}

function byReader(call: Call, args: readonly string[]): unknown {
  const read = readCall([call, ...args])
  return read && { flags: read.flags, words: read.words }
}

describe('words come to what commander makes of them', () => {
  const values = ['7', '', 'text', '-1', 'a=b', '99999999999', '1000000']
  const cases = calls.flatMap((call) =>
    optionsOfCall(call).flatMap(({ name, letter, value: kind }): (readonly [Call, readonly string[]])[] => {
      const forms = [...(letter === undefined ? [] : [`-${letter}`]), `--${name}`]
      if (kind === undefined) return forms.map((form) => [call, [form, 'demo']])
      return values.flatMap((value): (readonly [Call, readonly string[]])[] => [
        ...forms.map((form) => [call, [form, value, 'demo']] as const),
        ...(value === '7' ? [[call, [`${forms.at(-1)}=${value}`, `${forms.at(-1)}=`, 'demo']] as const] : []),
        [call, [`${forms.at(-1)}=${value}`, 'demo']],
      ])
    }),
  )
  test.each(cases)('%s %j', (call, args) => {
    expect(byReader(call, args)).toEqual(byCommander(call, args))
  })

  test.each([
    ['run', []],
    ['run', ['-d', '--keep', '--pid-file', 'a', '--pid-file=b', 'bundle', 'demo']],
    ['exec', ['-e', 'A=b', '--env=C=d', '-g', '1', '-g', '2', 'demo', 'sh', '-c', 'x', '--tty']],
    ['create', ['--detach', 'demo']],
    ['run', ['--tty', 'demo']],
    ['exec', ['--bundle', '.', 'demo']],
    ['run', ['--pid-file']],
    ['exec', ['-it', 'demo', 'sh']],
    ['exec', ['-dti', '-u', '0', 'demo', 'sh', '-it']],
    ['run', ['-it', 'demo']],
  ] as const)('%s %j', (call, args) => {
    expect(byReader(call, args)).toEqual(byCommander(call, args))
  })
})

test('"--" between the ID and the command of exec is not the command', () => {
  expect(readCall(['exec', '-t', 'demo', '--', 'sh', '--', '-c'])?.words).toEqual(['demo', 'sh', '--', '-c'])
  expect(readCall(['exec', 'demo', '--'])?.words).toEqual(['demo'])
  expect(readCall(['exec', 'demo', '--', '--', 'x'])?.words).toEqual(['demo', '--', 'x'])
  expect(readCall(['exec', '--', 'demo', 'sh'])).toBeUndefined()
})

test('of the options before the command, those of the front are understood', () => {
  expect(readCall(['--root', '/a', '--log=/b', '--log-format', 'json', 'run', 'demo'])?.globals).toEqual({
    root: '/a',
    log: '/b',
    logFormat: 'json',
  })
  expect(readCall(['run', 'demo'])?.globals).toEqual({ logFormat: 'text' })
  for (const args of [['--debug'], ['--log-format', 'xml'], ['--systemd-cgroup'], ['-v']]) {
    expect(readCall([...args, 'run', 'demo']), args.join(' ')).toBeUndefined()
  }
  for (const args of [[], ['list'], ['toString', 'demo'], ['--root']]) expect(readCall(args)).toBeUndefined()
})
