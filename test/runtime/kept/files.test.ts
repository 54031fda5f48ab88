import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { keepFile } from '../../../src/runtime/kept/files.ts'
import { requires } from '../../requirements.ts'

const { test } = requires('root', 'mount')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kept-files-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const keep = (name: string, content: string | Uint8Array = 'content', at = directory): void =>
  keepFile({ directory: at, prefix: '.program-', most: 8 }, name, () => content)

/** Runs `use` with a small file system of its own. */
function onTmpfs(size: string, use: (place: string) => void): void {
  const place = join(directory, 'small')
  mkdirSync(place)
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'x', place]).status).toBe(0)
  try {
    use(place)
  } finally {
    expect(spawnSync('umount', [place]).status).toBe(0)
  }
}

test('a file that does not fit leaves nothing', () => {
  onTmpfs('6m', (place) => {
    keep('big', new Uint8Array(8 << 20), place)
    expect(readdirSync(place)).toEqual([])
    keep('small', 'content', place)
    expect(readdirSync(place)).toEqual(['.program-small'])
  })
})

test('kept files are removed when there is little space for the state of containers', () => {
  onTmpfs('6m', (place) => {
    keep('one', 'content', place)
    writeFileSync(join(place, 'state'), new Uint8Array(3 << 20))
    keep('two', 'content', place)
    expect(readdirSync(place)).toEqual(['state'])
  })
})

test('the temporary file of a killed writer is removed, that of a running one stays', () => {
  const dead = spawnSync('true').pid
  writeFileSync(join(directory, `.program-a.${dead}`), 'half')
  writeFileSync(join(directory, `.program-b.${process.ppid}`), 'half')
  writeFileSync(join(directory, `.program-c.${process.pid}`), 'of an earlier process of this id')
  keep('c')
  expect(readdirSync(directory).sort()).toEqual([`.program-b.${process.ppid}`, '.program-c'])
})
