import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import { isCgroup2Host } from '../../src/bundle/host-options.ts'
import { formatRuntimeConfig } from '../../src/bundle/write-config.ts'
import { parseRuntimeConfig } from '../../src/oci/runtime-config.ts'
import { runtimeConfigProblems } from '../../src/oci/runtime-config-rules.ts'
import { runtimeSpecVersion } from '../../src/oci/spec-version.ts'
import { library } from '../library.ts'
import { requires } from '../requirements.ts'

const { spec } = library

let bundle = ''
beforeEach(() => {
  bundle = mkdtempSync(join(tmpdir(), 'spec-'))
})
afterEach(() => rmSync(bundle, { recursive: true }))

const written = () => readFileSync(join(bundle, 'config.json'), 'utf8')

requires('runc').test.each([[[]], [['--rootless']]])(
  'the text of runc spec %j, except ociVersion and the ambient capabilities of old versions',
  async (flags) => {
    execFileSync('runc', ['spec', ...flags], { cwd: bundle })
    const theirs = written().replace(/,\s*"ambient": \[[^\]]*\]/, '')
    await spec({ bundle, rootless: flags.includes('--rootless') })
    expect(written()).toBe(theirs.replace(/"ociVersion": "[^"]*"/, `"ociVersion": "${runtimeSpecVersion}"`))
  },
)

test.each([
  [false, false, 'pid network ipc uts mount'],
  [false, true, 'pid network ipc uts mount cgroup'],
  [true, false, 'pid ipc uts mount user'],
  [true, true, 'pid ipc uts mount cgroup user'],
])('rootless %s and a cgroup namespace %s make the namespaces %s %s', (rootless, cgroupNamespace, types) => {
  const config = defaultConfig({ rootless, cgroupNamespace, uid: 1000, gid: 100 })
  expect(config.linux?.namespaces?.map(({ type }) => type).join(' ')).toBe(types)
  expect(runtimeConfigProblems(config)).toEqual([])
  expect(parseRuntimeConfig(formatRuntimeConfig(config))).toEqual(config)
})

test('a rootless container maps root to the caller, and gets neither limits nor other ids', () => {
  const { linux, mounts } = defaultConfig({ rootless: true, cgroupNamespace: true, uid: 1000, gid: 100 })
  expect(linux?.uidMappings).toEqual([{ containerID: 0, hostID: 1000, size: 1 }])
  expect(linux?.gidMappings).toEqual([{ containerID: 0, hostID: 100, size: 1 }])
  expect(linux).not.toHaveProperty('resources')
  expect(mounts?.flatMap(({ options }) => options ?? []).filter((option) => option.includes('id='))).toEqual([])
})

test('a container gets the given id mappings, and gid=5 for terminals only if that is mapped', () => {
  const options = { rootless: true, cgroupNamespace: true, uid: 1000, gid: 100 }
  const mappings = (size: number) => [
    { containerID: 0, hostID: 100, size: 1 },
    { containerID: 1, hostID: 100_000, size },
  ]
  const configWith = (size: number) =>
    defaultConfig({ ...options, idMappings: { uidMappings: mappings(size), gidMappings: mappings(size) } })
  const config = configWith(5)
  expect(config.linux).toMatchObject({ uidMappings: mappings(5), gidMappings: mappings(5) })
  expect(runtimeConfigProblems(config)).toEqual([])
  const optionsOf = ({ mounts }: ReturnType<typeof defaultConfig>) => mounts?.flatMap(({ options }) => options ?? [])
  expect(optionsOf(config)).toContain('gid=5')
  expect(optionsOf(configWith(4))).not.toContain('gid=5')
})

test('the default document, word for word', () => {
  const text = formatRuntimeConfig(defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 }))
  expect(text).toBe(readFileSync(join(import.meta.dirname, '../../fixtures/default-config.json'), 'utf8'))
})

test('spec replaces an existing config.json', async () => {
  writeFileSync(join(bundle, 'config.json'), 'old')
  await spec({ bundle })
  expect(parseRuntimeConfig(written()).process.args).toEqual(['sh'])
})

test('spec names a missing directory', async () => {
  await expect(spec({ bundle: join(bundle, 'none') })).rejects.toMatchObject({ code: 'ERR_BUNDLE_INVALID' })
})

test('a directory without a cgroup mount does not count as a cgroup v2 host', async () => {
  expect(await isCgroup2Host(bundle)).toBe(false)
  expect(await isCgroup2Host(join(bundle, 'none'))).toBe(false)
})
