import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFlags } from '../../src/program/flags.ts'
import { numbered } from '../../src/program/program.ts'
import { compileGolden, goldenCases } from '../compile/golden-cases.ts'

const project = join(import.meta.dirname, '../..')

const sources = readdirSync(join(project, 'native'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.c'))
  .map((name) => ({ name, text: readFileSync(join(project, 'native', name), 'utf8') }))

test.each([
  ['clone3', ['system/process.c']],
  ['openat2', ['runner/op_resolve.c']],
  ['close_range', ['runner/keeper.c', 'runner/op_execve.c']],
  ['open_tree', ['runner/mount_calls.c']],
  ['move_mount', ['runner/mount_calls.c']],
  ['mount_setattr', ['runner/mount_calls.c']],
  ['fsopen', ['runner/mount_calls.c']],
])('%s, which Linux 4.18 has not, is called in %j alone, where its fallbacks are', (call, files) => {
  const callers = sources.filter(({ text }) => text.includes(`sys(${call},`))
  expect(callers.map(({ name }) => name).sort()).toEqual(files)
})

test('the runner makes no file that something else could have put there: O_CREAT comes with O_EXCL', () => {
  const lines = sources
    .flatMap(({ text }) => text.split('\n'))
    .filter((line) => line.includes('O_CREAT') && !line.includes('O_EXCL'))
  // The caller's own log file is appended to, as --log says.
  expect(lines).toEqual([expect.stringContaining('openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT')])
})

test('no program makes a file without EXCL, but the logs of hooks, which are appended to', () => {
  for (const name of Object.keys(goldenCases)) {
    for (const { step, address } of numbered(compileGolden(name))) {
      const flags = Number(step.operands.flags ?? 0)
      if (step.from.startsWith('/annotations/run.oci.hooks.')) continue
      if ((step.op === 'open' || step.op === 'write_file') && flags & openFlags.CREAT) {
        expect(flags & openFlags.EXCL, `${name}: step ${address}`).toBe(openFlags.EXCL)
      }
    }
  }
})

test('every advisory in docs/security.md has the test that it names', () => {
  const rows = readFileSync(join(project, 'docs/security.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| .*(CVE-|GHSA-)/.test(line))
  expect(rows.length).toBeGreaterThan(15)
  for (const row of rows) {
    const cells = row.split('|').map((cell) => cell.trim())
    const [advisories = '', ...rest] = cells.slice(1, -1)
    const file = rest.at(-1)?.replaceAll('`', '') ?? ''
    const text = readFileSync(join(project, file), 'utf8')
    for (const [id] of advisories.matchAll(/(?:CVE|GHSA)-[\w-]+/g)) expect(text, `${file}: ${id}`).toContain(id)
  }
})
