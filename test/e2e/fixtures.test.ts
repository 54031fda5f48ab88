import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { requires } from '../requirements.ts'

const fixtures = join(import.meta.dirname, '../../fixtures')

requires('busybox', 'dpkg').test('busybox.tar is what its script makes of the package it names', ({ skip }) => {
  const made = readFileSync(join(fixtures, 'README.md'), 'utf8').match(/`busybox-static` (\S+) and/)?.[1]
  const status = execFileSync('dpkg', ['-s', 'busybox-static'], { encoding: 'utf8' })
  const installed = /^Version: (.*)$/m.exec(status)?.[1]
  skip(installed !== made, `needs busybox-static ${made}, and ${installed} is installed`)
  const directory = mkdtempSync(join(tmpdir(), 'fixtures-'))
  try {
    execFileSync('node', [join(fixtures, 'make-busybox-image.mjs'), join(directory, 'busybox.tar')])
    const again = readFileSync(join(directory, 'busybox.tar'))
    expect(again.equals(readFileSync(join(fixtures, 'busybox.tar')))).toBe(true)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
