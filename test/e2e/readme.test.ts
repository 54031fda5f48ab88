import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'tmux', 'setpriv', 'setsid', 'unshare', 'curl', 'ip', 'pasta', '/dev/net/tun')

const project = join(import.meta.dirname, '../..')
const newcomer = join(project, 'scripts/newcomer')

/** Every block of the README and of three pages of docs/ for which nothing is installed and no engine is needed. */
const blocks = { root: 15, user: 14 }

test.each([
  ['root', 'tmux'],
  ['root', 'nothing'],
  ['user', 'tmux'],
  ['user', 'nothing'],
] as const)(
  'every block of the README and of pages of docs/ works word for word: %s, with %s for a terminal',
  async (who, where) => {
    const { stdout } = await promisify(execFile)(newcomer, ['--built', project, who, where], { timeout: 100_000 })
    const lines = stdout.trim().split('\n')
    expect(lines.filter((line) => line.startsWith(`newcomer: ${who}, ${where}: `))).toHaveLength(blocks[who])
    expect(lines.at(-1)).toBe('newcomer: no stumble')
  },
  120_000,
)
