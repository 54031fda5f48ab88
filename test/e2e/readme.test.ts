import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'tmux', 'setpriv', 'setsid', 'unshare')

const project = join(import.meta.dirname, '../..')
const newcomer = join(project, 'scripts/newcomer')

/** Every block of the README for which nothing is installed and no engine is needed. */
const blocks = 7

test.each([
  ['root', 'tmux'],
  ['root', 'nothing'],
  ['user', 'tmux'],
  ['user', 'nothing'],
])(
  'every block of the README works word for word: %s, with %s for a terminal',
  async (who, where) => {
    const { stdout } = await promisify(execFile)(newcomer, ['--built', project, who, where], { timeout: 100_000 })
    const lines = stdout.trim().split('\n')
    expect(lines.filter((line) => line.startsWith(`newcomer: ${who}, ${where}: `))).toHaveLength(blocks)
    expect(lines.at(-1)).toBe('newcomer: no stumble')
  },
  120_000,
)
