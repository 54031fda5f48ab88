import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { type Call, callOptions } from '../../src/cli/call-options.ts'
import { readCall } from '../../src/cli/call-words.ts'
import { withCallOptions } from '../../src/cli/container-options.ts'

const calls: readonly Call[] = ['run', 'create', 'exec']

/** What commander makes of the same words. */
function byCommander(call: Call, args: readonly string[]): unknown {
  const command = withCallOptions(new Command(), call)
    .argument('[words...]')
    .exitOverride()
    .configureOutput({ writeErr() {} })
  // Those of exec belong to its command.
  command.passThroughOptions().enablePositionalOptions()
  try {
    command.parse([...args], { from: 'user' })
  } catch {
    return undefined
  }
  return { flags: command.opts(), words: command.args }
}

function byReader(call: Call, args: readonly string[]): unknown {
  const read = readCall([call, ...args])
  return read && { flags: read.flags, words: read.words }
}

describe('words come to what commander makes of them', () => {
  const values = ['7', '', 'text', '-1', 'a=b', '99999999999', '1000000']
  const cases = calls.flatMap((call) =>
    callOptions[call].flatMap(({ flags }): (readonly [Call, readonly string[]])[] => {
      const forms = flags.split(/,? /).filter((word) => word.startsWith('-'))
      if (!flags.includes('<')) return forms.map((form) => [call, [form, 'demo']])
      return values.flatMap((value): (readonly [Call, readonly string[]])[] => [
        ...forms.map((form) => [call, [form, value, 'demo']] as const),
        [call, [`${forms.at(-1)}=${value}`, 'demo', '--keep']],
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
  ] as const)('%s %j', (call, args) => {
    expect(byReader(call, args)).toEqual(byCommander(call, args))
  })
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
