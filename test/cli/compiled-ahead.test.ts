import { expect, test, vi } from 'vitest'
import { compiledAhead } from '../../src/cli/compiled-ahead.ts'
import type { CommandContext } from '../../src/cli/context.ts'
import { OciError } from '../../src/errors.ts'

const fault = vi.hoisted(() => ({ error: undefined as unknown }))
vi.mock('../../src/runtime/compile-launch.ts', () => ({ compileLaunch: () => Promise.reject(fault.error) }))

const systemError = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' })

test.each([
  ['an error that run meets too', new OciError('ERR_CONFIG_INVALID', 'no'), []],
  ['a fault of the compiler', new TypeError('a fault'), [/^b is made, .*report it: TypeError: a fault\n {4}at /]],
  ['a system error', systemError, [/^b is made, .*: EIO: i\/o error, read$/]],
])(
  '%s, while the programs of a new bundle are kept: the bundle is good, and a fault is warned of',
  async (_, error, warnings) => {
    fault.error = error
    const lines: (readonly [string, string])[] = []
    const context = {
      io: { env: {}, euid: 0 },
      globals: () => ({ root: '/nonexistent/root' }),
      log: (level: string, message: string) => lines.push([level, message]),
    }
    await compiledAhead(context as unknown as CommandContext, 'b')
    expect(lines).toEqual(warnings.map((pattern) => ['warning', expect.stringMatching(pattern)]))
  },
)
