import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRecordedLimits, recordLimits } from '../../../src/runtime/cgroup/recorded-limits.ts'

test('limits are recorded although a killed update left its temporary file, which is removed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'limits-'))
  const file = join(directory, 'state.json')
  try {
    writeFileSync(file, JSON.stringify({ id: 'x', config: { cgroups: { memory: 1 } } }))
    writeFileSync(`${file}.${process.pid}`, '{"half":')
    recordLimits(readRecordedLimits(directory).document, { memory: { limit: 2 } })
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ id: 'x', config: { cgroups: { memory: 2 } } })
    expect(readdirSync(directory)).toEqual(['state.json'])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('what another update has recorded meanwhile stays', () => {
  const directory = mkdtempSync(join(tmpdir(), 'limits-'))
  const file = join(directory, 'state.json')
  try {
    writeFileSync(file, JSON.stringify({ id: 'x', config: { cgroups: { memory: 1, pids_limit: 1 } } }))
    const [first, second] = [readRecordedLimits(directory), readRecordedLimits(directory)]
    recordLimits(first.document, { memory: { limit: 2 } })
    recordLimits(second.document, { pids: { limit: 3 } })
    const { cgroups } = JSON.parse(readFileSync(file, 'utf8')).config
    expect(cgroups).toMatchObject({ memory: 2, pids_limit: 3 })
  } finally {
    rmSync(directory, { recursive: true })
  }
})
