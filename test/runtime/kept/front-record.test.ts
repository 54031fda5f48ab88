import { expect, test } from 'vitest'
import { defaultConfig } from '../../../src/bundle/default-config.ts'
import { recordLines } from '../../../src/program/contract.ts'
import { frontRecord } from '../../../src/runtime/kept/front-record.ts'

const facts = { bundle: '/b', rootfs: '/b/rootfs', rootlessCgroups: false }

/** The first lines of a record by their names, and the cgroups behind them. */
function recordOf(cgroupPaths: Readonly<Record<string, readonly string[]>>) {
  const pieces =
    frontRecord(defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 }), {
      ...facts,
      cgroupPaths,
    }) ?? []
  const text = pieces.map((piece) => (typeof piece === 'string' ? piece : `{${piece.register}}`)).join('')
  const lines = text.split('\n')
  const first = Object.fromEntries(recordLines.map((name, index) => [name, lines[index]]))
  return { ...first, cgroups: lines.slice(recordLines.length, lines.indexOf('', recordLines.length)) }
}

test.each([
  [
    'of cgroup v1',
    { freezer: ['/f/x'], memory: ['/m/x'] },
    {
      freezer: '/f/x/freezer.state',
      thawed: 'THAWED',
      frozen: 'FROZEN',
      proof: '/f/x/freezer.self_freezing',
      proven: '1',
      cgroups: ['/f/x', '/m/x'],
    },
  ],
  [
    'of the unified hierarchy',
    { '': ['/u/x'] },
    {
      freezer: '/u/x/cgroup.freeze',
      thawed: '0',
      frozen: '1',
      proof: '/u/x/cgroup.events',
      proven: 'frozen 1',
      cgroups: ['/u/x'],
    },
  ],
])('the record of a container %s says how it is paused, by files and what is in them', (_, paths, expected) => {
  expect(recordOf(paths)).toMatchObject(expected)
})

test('a container without a freezer has empty lines for it', () => {
  const { freezer, thawed, frozen, proof, proven, cgroups } = recordOf({ memory: ['/m/x'] }) as Record<string, unknown>
  expect({ freezer, thawed, frozen, proof, proven }).toEqual({
    freezer: '',
    thawed: '',
    frozen: '',
    proof: '',
    proven: '',
  })
  expect(cgroups).toEqual(['/m/x'])
})
