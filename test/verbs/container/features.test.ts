import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { parseMountOptions } from '../../../src/compile/mount/options.ts'
import { call } from '../../cli/call.ts'
import { compileWith, stepsOf } from '../../compile/hosts.ts'
import { library } from '../../library.ts'
import { requires } from '../../requirements.ts'

const found = await library.features({ version: '1.2.3' })
const { test: testWithRunc } = requires('runc')

test('every capability, namespace and hook that is named compiles', () => {
  const { capabilities, namespaces } = found.linux
  const program = compileWith({
    config: { hooks: Object.fromEntries(found.hooks.map((kind) => [kind, [{ path: `/hook/${kind}` }]])) },
    process: { capabilities: { bounding: capabilities, permitted: capabilities, effective: capabilities } },
    linux: {
      namespaces: namespaces.map((type) => ({ type: type as 'pid' })),
      uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    },
  })
  const keep = stepsOf(program).find(({ op }) => op === 'bounding_set')?.operands.keep
  expect(keep).toBe((1n << BigInt(capabilities.length)) - 1n)
})

test.each(found.linux.memoryPolicy.modes)('the memory policy %s compiles', (mode) => {
  const nodes = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL' ? '' : '0'
  const steps = stepsOf(compileWith({ linux: { memoryPolicy: { mode, nodes, flags: [] } } }))
  expect(steps.some(({ op }) => op === 'set_memory_policy')).toBe(true)
})

test('no mount option goes to the file system as data', () => {
  expect(parseMountOptions(found.mountOptions).data).toBe('')
})

test('the command prints it as JSON, and nothing else', async () => {
  const { status, stdout, stderr } = await call(['features'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({ ...found, annotations: { 'bundle-tool.version': expect.any(String) } })
})

testWithRunc('it lists what runc lists', () => {
  const theirs = JSON.parse(spawnSync(process.env.RUNC ?? 'runc', ['features'], { encoding: 'utf8' }).stdout)
  expect(found.hooks).toEqual(theirs.hooks)
  expect(found.linux.capabilities).toEqual(expect.arrayContaining(theirs.linux.capabilities))
  expect(found.linux.namespaces).toEqual(expect.arrayContaining(theirs.linux.namespaces))
  expect(found.linux.intelRdt).toMatchObject(theirs.linux.intelRdt ?? {})
  // Older ones list none; that an annotation could stand for the label "bundle" is runc's own.
  const unsafe = (theirs.potentiallyUnsafeConfigAnnotations ?? []).filter((name: string) => name !== 'bundle')
  expect(found.potentiallyUnsafeConfigAnnotations).toEqual(expect.arrayContaining(unsafe))
  // Options of the file system, which it gets as data.
  const data = ['acl', 'noacl']
  const options = theirs.mountOptions.filter((option: string) => !data.includes(option))
  expect(found.mountOptions).toEqual(expect.arrayContaining(options))
})

test('it lists what podman uses of crun', () => {
  const { mountOptions, potentiallyUnsafeConfigAnnotations } = found
  expect(mountOptions).toEqual(expect.arrayContaining(['copy-symlink', 'dest-nofollow', 'idmap', 'src-nofollow']))
  expect(potentiallyUnsafeConfigAnnotations).toEqual(
    expect.arrayContaining(['run.oci.keep_original_groups', 'run.oci.hooks.stdout', 'run.oci.hooks.stderr']),
  )
})
