import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { compileSeccomp } from '../../../src/compile/seccomp/filter.ts'
import type { Seccomp } from '../../../src/oci/runtime-config.ts'
import { seccompFilter } from '../../../src/runtime/kept/filter.ts'
import { requires } from '../../requirements.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kept-filter-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const profile = (...names: readonly string[]): Seccomp => ({
  defaultAction: 'SCMP_ACT_ERRNO',
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  syscalls: [
    { names: [...names, 'a_name_that_no_kernel_has'], action: 'SCMP_ACT_ALLOW' },
    { names: ['personality'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 2n ** 63n, op: 'SCMP_CMP_EQ' }] },
  ],
})

/** The compiler of filters, which counts its calls. */
const compiled = vi.hoisted(() => ({ count: 0 }))
vi.mock('../../../src/compile/seccomp/filter.ts', async (load) => {
  const own = await load<typeof import('../../../src/compile/seccomp/filter.ts')>()
  const compileSeccomp = (...args: Parameters<typeof own.compileSeccomp>) => {
    compiled.count++
    return own.compileSeccomp(...args)
  }
  return { ...own, compileSeccomp }
})

/** Gets a filter as one call of the tool does. @returns true when it was compiled */
async function ask(seccomp: Seccomp, arch = 'x64'): Promise<boolean> {
  const before = compiled.count
  const filter = await seccompFilter(seccomp, arch, root)
  const isCompiled = compiled.count > before
  const { instructions, flags, usesNotify, warnings } = compileSeccomp(seccomp, arch)
  expect(Buffer.from(filter?.instructions ?? []).equals(instructions)).toBe(true)
  expect(filter).toMatchObject({ flags, usesNotify, warnings })
  return isCompiled
}

const files = (): readonly string[] => readdirSync(root).map((name) => join(root, name))
const file = (): string => files()[0] ?? ''

test('the same profile is compiled once, and is the same filter', async () => {
  expect([await ask(profile('read')), await ask(profile('read')), await ask(profile('read'))]).toEqual([
    true,
    false,
    false,
  ])
  expect(files()).toHaveLength(1)
})

test('another profile or architecture is compiled', async () => {
  await ask(profile('read'))
  expect(await ask(profile('write'))).toBe(true)
  expect(await ask({ ...profile('read'), flags: ['SECCOMP_FILTER_FLAG_LOG'] })).toBe(true)
  expect(await ask(profile('read'), 'arm64')).toBe(true)
})

test('two profiles whose files have the same name are distinguished', async () => {
  await ask(profile('read'))
  const name = file()
  rmSync(name)
  await ask(profile('write'))
  renameSync(file(), name)
  expect(await ask(profile('read'))).toBe(true)
})

const changes: Readonly<Record<string, (path: string) => void>> = {
  'others can write to the file': (path) => chmodSync(path, 0o620),
  'the file is a link': (path) => {
    renameSync(path, `${root}-other`)
    symlinkSync(`${root}-other`, path)
  },
  'the file is cut off': (path) => writeFileSync(path, readFileSync(path, 'utf8').slice(0, -10)),
  'the file is empty': (path) => writeFileSync(path, ''),
}

test.each(Object.entries(changes))('it is compiled when %s, and kept again', async (_, change) => {
  await ask(profile('read'))
  change(file())
  expect([await ask(profile('read')), await ask(profile('read'))]).toEqual([true, false])
  rmSync(`${root}-other`, { force: true })
})

requires('root').test('it is compiled when the file belongs to another user', async () => {
  await ask(profile('read'))
  chownSync(file(), 12345, 12345)
  expect(await ask(profile('read'))).toBe(true)
})

test('without a root nothing is kept, and nothing fails', async () => {
  const filter = await seccompFilter(profile('read'), 'x64', join(root, 'missing'))
  expect(filter?.instructions.length).toBeGreaterThan(0)
  expect(files()).toEqual([])
})

test('at most sixteen are kept', async () => {
  const names = Array.from({ length: 20 }, (_, index) => 'x'.repeat(index + 1))
  for (const name of names) {
    await ask(profile('read', name))
    expect(files().length).toBeLessThanOrEqual(16)
  }
  expect(await ask(profile('read', names.at(-1) ?? ''))).toBe(false)
})
