import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { recordLimits } from '../../../src/runtime/cgroup/recorded-limits.ts'

test('limits are recorded although a killed update left its temporary file, which is removed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'limits-'))
  const file = join(directory, 'state.json')
  try {
    writeFileSync(file, JSON.stringify({ id: 'x', config: { cgroups: { memory: 1 } } }))
    writeFileSync(`${file}.${process.pid}`, '{"half":')
    recordLimits(directory, { memory: { limit: 2 } })
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ id: 'x', config: { cgroups: { memory: 2 } } })
    expect(readdirSync(directory)).toEqual(['state.json'])
  } finally {
    rmSync(directory, { recursive: true })
  }
})
