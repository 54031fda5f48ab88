import { join } from 'node:path'
import { expect } from 'vitest'
import { buildTool } from '../c-tool.ts'
import { requires } from '../requirements.ts'
import { execute, hostProgram } from './runner.ts'

const { test } = requires('root', 'gcc', 'setpriv', 'x86_64')
const without = buildTool(join(import.meta.dirname, '../kernels/without.c'))
const execveat = '322'

/** The runner of an ordinary user cannot take its memory off its file: it goes on in a copy. */
const asUser = ['setpriv', '--reuid=54323', '--regid=54323', '--clear-groups']

test('a runner that can execute no copy of itself says what the kernel did, after it has tried each place', () => {
  expect(execute(hostProgram(), { under: asUser })).toMatchObject({ end: 0, reports: [] })
  const { reports } = execute(hostProgram(), { under: [without(), execveat, '--', ...asUser] })
  expect(reports).toMatchObject([{ kind: 'refused', error: 'ENOSYS' }])
})
