import { expect, test } from 'vitest'
import { parseRuntimeConfig } from '../../src/oci/runtime-config.ts'
import { runtimeConfigProblems } from '../../src/oci/runtime-config-rules.ts'

const minimal = { ociVersion: '1.3.0', process: { args: ['sh'], cwd: '/' }, root: { path: 'rootfs' } }
const mapping = [{ containerID: 0, hostID: 1, size: 1 }]

const cases: readonly (readonly [string, object, readonly string[]])[] = [
  ['nothing but what is required', {}, []],
  ['a hostname with a uts namespace', { hostname: 'a', linux: { namespaces: [{ type: 'uts' }] } }, []],
  ['a hostname without one', { hostname: 'a', domainname: 'b' }, ['/hostname', '/domainname']],
  ['an empty hostname, which sets none', { hostname: '' }, []],
  [
    'a namespace listed twice, and a relative path',
    { linux: { namespaces: [{ type: 'pid' }, { type: 'ipc', path: 'x' }, { type: 'pid' }] } },
    ['/linux/namespaces/1/path', '/linux/namespaces/2/type'],
  ],
  [
    'a new user namespace without mappings',
    { linux: { namespaces: [{ type: 'user' }], uidMappings: mapping } },
    ['/linux/gidMappings'],
  ],
  ['a joined user namespace without mappings', { linux: { namespaces: [{ type: 'user', path: '/ns' }] } }, []],
  ['mappings without a user namespace', { linux: { gidMappings: mapping } }, ['/linux/gidMappings']],
  [
    'rlimits listed twice, and soft above hard',
    {
      process: {
        ...minimal.process,
        rlimits: [
          { type: 'RLIMIT_CORE', soft: 2, hard: 1 },
          { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        ],
      },
    },
    ['/process/rlimits/0/soft', '/process/rlimits/1/type'],
  ],
  [
    'idmapped mounts that cannot be',
    {
      mounts: [
        { destination: '/a', type: 'tmpfs', uidMappings: mapping, gidMappings: mapping },
        { destination: '/b', options: ['rbind'], uidMappings: mapping },
      ],
    },
    ['/mounts/0/uidMappings', '/mounts/1'],
  ],
  [
    'what needs a namespace of its own, without it',
    {
      linux: {
        maskedPaths: ['/a'],
        readonlyPaths: ['/b'],
        timeOffsets: { monotonic: { secs: 1 } },
        netDevices: { eth0: {} },
      },
    },
    ['/linux/maskedPaths', '/linux/readonlyPaths', '/linux/timeOffsets', '/linux/netDevices'],
  ],
  [
    'a time namespace that is joined, and an unknown clock',
    { linux: { namespaces: [{ type: 'time', path: '/ns' }], timeOffsets: { realtime: {} } } },
    ['/linux/timeOffsets', '/linux/timeOffsets/realtime'],
  ],
]

test.each(cases)('%s', (_name, fields, pointers) => {
  const config = parseRuntimeConfig(JSON.stringify({ ...minimal, ...fields }))
  expect(runtimeConfigProblems(config).map(({ pointer }) => pointer)).toEqual(pointers)
})
