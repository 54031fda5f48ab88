import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test as everywhere, expect } from 'vitest'
import { compileResctrlGroups, joinResctrlGroups, resctrlGroups } from '../../src/compile/cgroup/intel-rdt.ts'
import { readHostFacts } from '../../src/host/facts.ts'
import type { IntelRdt } from '../../src/oci/runtime-config.ts'
import { op, type Program, undoable } from '../../src/program/program.ts'
import { changeSchemata } from '../../src/runtime/cgroup/resctrl.ts'
import { readResctrlStats } from '../../src/runtime/cgroup/resctrl-stats.ts'
import { hosts, smallConfig } from '../compile/hosts.ts'
import { ContainerPlace } from '../container.ts'
import { execute, expectDone, expectFailure, look } from '../native/runner.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox')

// Few machines have resctrl: a directory with its files stands for it here, and the kernel's own rules are not tested.
let mountPoint = ''
beforeEach(() => {
  mountPoint = mkdtempSync(join(tmpdir(), 'resctrl-'))
  const files = {
    'info/L3/cbm_mask': 'fffff',
    'info/L3/min_cbm_bits': '1',
    'info/L3/num_closids': '16',
    'info/MB/bandwidth_gran': '10',
    'info/MB/delay_linear': '1',
    'info/MB/min_bandwidth': '10',
    'info/MB/num_closids': '8',
    'info/L3_MON/mon_features': 'llc_occupancy\nmbm_total_bytes\nmbm_local_bytes',
    'info/last_cmd_status': 'the mask has a hole',
    schemata: '    MB:0=100;1=100\n    L3:0=fffff;1=fffff',
    'shared/schemata': '    MB:0=20;1=70\n    L3:0=7f0;1=1f',
    'shared/tasks': '',
    'shared/mon_groups/demo/tasks': '',
    'shared/mon_groups/demo/mon_data/mon_L3_00/llc_occupancy': '4096',
    'shared/mon_groups/demo/mon_data/mon_L3_00/mbm_total_bytes': '18446744073709551615',
    'shared/mon_groups/demo/mon_data/mon_L3_00/mbm_local_bytes': '7',
  }
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(mountPoint, name, '..'), { recursive: true })
    writeFileSync(join(mountPoint, name), `${content}\n`)
  }
})
afterEach(() => rmSync(mountPoint, { recursive: true }))

const resctrl = () => ({ mountPoint, hasCache: true, hasBandwidth: true })
const read = (name: string): string => readFileSync(join(mountPoint, name), 'utf8')

/** The steps of a container that concern resctrl, around a process of its own. */
function program(intelRdt: IntelRdt): Program {
  const config = { ...smallConfig, linux: { ...smallConfig.linux, intelRdt } }
  const facts = { ...hosts.v2, resctrl: resctrl() }
  const context = { config, facts } as unknown as Parameters<typeof compileResctrlGroups>[0]
  return {
    host: [
      ...compileResctrlGroups(context),
      undoable(op('clone', { flags: 0, cgroup: null }), op('kill_child', {})),
      ...joinResctrlGroups(resctrlGroups(config, facts)),
      undoable(op('supervise', { terminal: null, keep: 1, unheard: 0 })),
    ],
    stage: [],
    child: look('echo $$'),
  }
}

everywhere(
  '/linux/intelRdt: a process is in the class and the monitoring group that it asks for, with what the class may use',
  () => {
    const intelRdt = { closID: 'shared', l3CacheSchema: 'L3:0=f', schemata: ['MB:0=50'], enableMonitoring: true }
    const pid = expectDone(program(intelRdt), { id: 'demo' }).trim()
    expect(read('shared/schemata').startsWith('L3:0=f\nMB:0=50\n')).toBe(true)
    expect([read('shared/tasks'), read('shared/mon_groups/demo/tasks')].map((text) => text.trim())).toEqual([pid, pid])
  },
)

everywhere('a class that gets no schemata must be there, and what was made for a failed container is gone', () => {
  expectFailure(program({ closID: 'nobody' }), 'open', 'ENOENT')
  // No kernel fills this directory with files: the class is made, and cannot be set up.
  const { reports } = execute(program({ l3CacheSchema: 'L3:0=f' }), { id: 'demo' })
  expect(reports).toMatchObject([{ kind: 'failed', step: 1, error: 'ENOENT' }])
  expect(existsSync(join(mountPoint, 'demo'))).toBe(false)
})

everywhere('update changes the class, and gives the reason of the kernel when it refuses', () => {
  const groups = { path: join(mountPoint, 'shared'), isOwn: false }
  const takeBack = changeSchemata({ resctrl: groups }, { l3CacheSchema: 'L3:0=1', memBwSchema: 'MB:0=10' }, resctrl())
  expect(read('shared/schemata').startsWith('L3:0=1\nMB:0=10\n')).toBe(true)
  takeBack()
  expect(read('shared/schemata')).toMatch(/MB:0=20;1=70\n {4}L3:0=7f0;1=1f/)
  rmSync(join(mountPoint, 'shared/schemata'))
  mkdirSync(join(mountPoint, 'shared/schemata'))
  const change = (to: IntelRdt, host: ReturnType<typeof resctrl> | undefined, own: typeof groups | undefined) => () =>
    changeSchemata({ resctrl: own }, to, host)
  expect(change({ l3CacheSchema: 'L3:0=1' }, undefined, groups)).toThrow('l3 cache schema is not enabled')
  expect(change({ memBwSchema: 'MB:0=1' }, undefined, groups)).toThrow('memory bandwidth schema is not enabled')
  expect(change({ memBwSchema: 'MB:0=1' }, resctrl(), undefined)).toThrow('non-existent Intel RDT configuration')
})

everywhere('statistics are what resctrl says, in the members of runc', () => {
  const path = join(mountPoint, 'shared')
  expect(readResctrlStats({ path, monitoring: join(path, 'mon_groups/demo'), isOwn: false }, resctrl())).toEqual({
    l3_cache_info: { cbm_mask: 'fffff', min_cbm_bits: 1, num_closids: 16 },
    l3_cache_schema_root: 'L3:0=fffff;1=fffff',
    l3_cache_schema: 'L3:0=7f0;1=1f',
    mem_bw_info: { bandwidth_gran: 10, delay_linear: 1, min_bandwidth: 10, num_closids: 8 },
    mem_bw_schema_root: 'MB:0=100;1=100',
    mem_bw_schema: 'MB:0=20;1=70',
    schemata: ['MB:0=20;1=70', '    L3:0=7f0;1=1f'],
    mbm_stats: [{ mbm_total_bytes: 18446744073709551615n, mbm_local_bytes: 7 }],
    cmt_stats: [{ llc_occupancy: 4096 }],
  })
  expect(readResctrlStats(undefined, resctrl())).toEqual({})
})

const testWithout = readHostFacts().resctrl ? test.skip : test
testWithout('a host without Intel RDT refuses, and leaves nothing', async () => {
  const place = new ContainerPlace()
  const { end, stderr } = place.run('exit 0', { linux: { intelRdt: { closID: 'a' } } })
  expect({ end, stderr }).toMatchObject({ end: 1, stderr: expect.stringContaining('Intel RDT is not enabled') })
  expect(place.leftovers()).toEqual([])
  place.configure('exec sleep 1000')
  place.tool(['run', '-d', '-b', place.bundle, place.id])
  const update = place.tool(['update', '--l3-cache-schema', 'L3:0=f', place.id])
  expect(update).toMatchObject({ end: 1, stderr: expect.stringContaining('l3 cache schema is not enabled') })
  await place.close()
})
