import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'

/** A program in C that a test needs, there while its tests run. @param flags of gcc @returns gives its path */
export function buildTool(source: string, ...flags: readonly string[]): () => string {
  const name = basename(source, '.c')
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), `${name}-`))
    execFileSync('gcc', ['-O1', '-Wall', '-Werror', ...flags, '-o', join(directory, name), source])
  })
  afterAll(() => rmSync(directory, { recursive: true }))
  return () => join(directory, name)
}
