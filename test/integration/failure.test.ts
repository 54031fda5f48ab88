import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { OciError } from '../../src/errors.ts'
import { openFlags } from '../../src/program/flags.ts'
import { op, type Program, undoable } from '../../src/program/program.ts'
import { compileContainer } from '../../src/runtime/compile-container.ts'
import { runProgram } from '../../src/runtime/runner.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

let place: ContainerPlace
beforeEach(() => {
  process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')
  place = new ContainerPlace()
  mkdirSync(place.root)
})
afterEach(() => place.close())

const failing = op('open', { to: 'never', at: null, path: '/no/such/file', flags: openFlags.RDONLY }, '/made/to/fail')

/** The program with a step that must fail before the step at `index` of a phase. */
function failingAt(program: Program, phase: 'host' | 'stage' | 'child', index: number): Program {
  const { host, stage, child } = program
  if (phase === 'host') return { ...program, host: host.toSpliced(index, 0, undoable(failing)) }
  if (phase === 'stage') return { ...program, stage: stage.toSpliced(index, 0, failing) }
  return { ...program, child: child.toSpliced(index, 0, failing) }
}

async function compiled(mode: 'create' | 'foreground', change: ConfigChange = {}): Promise<Program> {
  place.configure('exec sleep 1000', change)
  const { program } = await compileContainer({ id: place.id, bundle: place.bundle, root: place.root }, mode)
  return program
}

const mapped = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
const userNamespace: ConfigChange = {
  linux: {
    namespaces: (['pid', 'network', 'ipc', 'uts', 'mount', 'user'] as const).map((type) => ({ type })),
    uidMappings: mapped,
    gidMappings: mapped,
  },
}
const hostPids: ConfigChange = { linux: { namespaces: [{ type: 'mount' }, { type: 'uts' }] } }

test.each([
  ['a container in the foreground', 'foreground', {}, 1],
  ['a created container in a user namespace', 'create', userNamespace, 3],
  ["a created container with the host's processes", 'create', hostPids, 3],
] as const)('%s that fails at any of its steps leaves nothing', async (_, mode, change, stride) => {
  place.giveRootfsTo(change === userNamespace ? 100_000 : 0)
  const program = await compiled(mode, change)
  for (const phase of ['host', 'child'] as const) {
    for (const index of placesToFail(program, phase)) {
      if (phase === 'child' && index % stride !== 0) continue // each of these steps is in the first case, too
      const where = `${phase} step ${index}, before ${program[phase][index]?.op}`
      const leftovers: string[] = []
      const onLeftover = (message: string): number => leftovers.push(message)
      const outcome = await runProgram(failingAt(program, phase, index), { id: place.id, onLeftover }).catch(
        (error: unknown) => error,
      )
      expect(outcome instanceof OciError ? outcome.pointer : outcome, where).toBe('/made/to/fail')
      expect(leftovers, where).toEqual([])
      if (index % 8 === 0) expect(place.leftovers(), where).toEqual([])
    }
  }
  expect(place.leftovers()).toEqual([])
})

/** Not between a cgroup and its check, which no new cgroup fails; nor when the child has said that it is created. */
function placesToFail(program: Program, phase: 'host' | 'child'): readonly number[] {
  const steps = program[phase]
  const end = phase === 'host' ? steps.length : steps.findLastIndex((step) => step.op === 'sync_send') + 1
  return [...steps.slice(0, end).keys()].filter((index) => !/^expect_(empty|not)$/.test(steps[index]?.op ?? ''))
}

test.each([
  ['rootfs is missing', { config: { root: { path: 'nowhere' } } }, '/nowhere'],
  [
    'a bind source is missing',
    { config: { mounts: [{ destination: '/x', source: '/no/such', options: ['bind'] }] } },
    'mounts[0]',
  ],
  ['a limit is impossible', { linux: { resources: { cpu: { quota: 1 } } } }, 'linux.resources.cpu.quota'],
  [
    'a namespace is not there',
    { linux: { namespaces: [{ type: 'mount' }, { type: 'uts', path: '/no/such' }] } },
    'linux.namespaces[1].path',
  ],
  ["a sysctl is the host's", { linux: { sysctl: { 'kernel.panic': '1' } } }, 'kernel.panic'],
] as readonly (readonly [string, ConfigChange, string])[])('when %s, the error says where', (_, change, words) => {
  const { end, stderr } = place.run('exit 0', change)
  expect(end).not.toBe(0)
  expect(stderr).toContain(words)
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(place.leftovers()).toEqual([])
})
