import { expect, test } from 'vitest'
import { OciError } from '../../src/errors.ts'
import { formatExactJson, parseExactJson } from '../../src/oci/json.ts'
import { parseProcess, parseRuntimeConfig } from '../../src/oci/runtime-config.ts'

const minimal = { ociVersion: '1.3.0', process: { args: ['sh'], cwd: '/' }, root: { path: 'rootfs' } }

const parse = (value: unknown) => parseRuntimeConfig(JSON.stringify(value))

function failure(text: string): OciError {
  try {
    parseRuntimeConfig(text)
  } catch (error) {
    if (error instanceof OciError) return error
    throw error
  }
  throw new Error('was accepted')
}

test('an absent user is 0:0, as in runc', () => {
  expect(parse(minimal).process.user).toEqual({ uid: 0, gid: 0 })
  expect(parse({ ...minimal, process: { ...minimal.process, user: { uid: 7 } } }).process.user).toEqual({
    uid: 7,
    gid: 0,
  })
})

test('null means absent, since Go writes it for an empty pointer, list or map', () => {
  const config = parse({
    ...minimal,
    mounts: null,
    linux: { timeOffsets: null, resources: { memory: { limit: null } } },
  })
  expect(config).toEqual({
    ociVersion: '1.3.0',
    process: { args: ['sh'], cwd: '/', user: { uid: 0, gid: 0 } },
    root: { path: 'rootfs' },
    linux: { resources: { memory: {} } },
  })
})

test('names are accepted in any case, as by Go, except those that are data', () => {
  const config = parse({
    OCIVersion: '1.3.0',
    process: { Args: ['sh'], CWD: '/', user: { UID: 7, additionalgids: [1] } },
    Root: { Path: 'rootfs' },
    hoſtname: 'box', // for Go this letter is an s
    annotations: { Key: 'a', key: 'b' },
    linux: { resources: { hugepageLimits: [{ pagesize: '2MB', Limit: 1 }] }, Sysctl: { 'Net.X': '1' } },
  })
  expect(config).toEqual({
    ociVersion: '1.3.0',
    process: { args: ['sh'], cwd: '/', user: { uid: 7, gid: 0, additionalGids: [1] } },
    root: { path: 'rootfs' },
    hostname: 'box',
    annotations: { Key: 'a', key: 'b' },
    linux: { resources: { hugepageLimits: [{ pageSize: '2MB', limit: 1 }] }, sysctl: { 'Net.X': '1' } },
  })
  expect(parseProcess('{"ARGS": ["sh"], "cwd": "/", "NoNewPrivileges": true}')).toMatchObject({ noNewPrivileges: true })
})

test('a null entry of a list is a problem', () => {
  expect(failure(JSON.stringify({ ...minimal, mounts: [null] })).message).toContain(
    '/mounts/0: must be an object, not null',
  )
})

test('64-bit integers keep every digit', () => {
  const text = JSON.stringify(minimal).replace(
    '"args"',
    '"rlimits":[{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":9007199254740991}],"args"',
  )
  expect(parseRuntimeConfig(text).process.rlimits).toEqual([
    { type: 'RLIMIT_CORE', hard: 18446744073709551615n, soft: 9007199254740991 },
  ])
  expect(failure(text.replace('551615', '551616')).message).toContain(
    '/process/rlimits/0/hard: must be an integer from 0 to 18446744073709551615, not 18446744073709551616',
  )
})

test.each(['{"a":{12345678901234567890:1}}', '{1234567890123456 \n:1}', '{-1234567890123456:{}}'])(
  'a long integer is no name of a member: %s',
  (text) => {
    expect(() => parseExactJson(text)).toThrow(/line 1, column \d+: found ".*" where a name or } is expected/)
  },
)

test('digits inside a string stay a string', () => {
  const args = ['12345678901234567890', 'x"18446744073709551615']
  expect(parse({ ...minimal, process: { ...minimal.process, args } }).process.args).toEqual(args)
})

test('unknown properties are left out and reported, known ones are not', () => {
  const unknown: string[] = []
  const text = JSON.stringify({
    ...minimal,
    windows: { layerFolders: [] },
    annotations: { 'a/b': 'c' },
    mounts: [{ destination: '/a', bogus: 1 }],
    linux: { timeOffsets: { boottime: { secs: 1 } } },
  })
  const config = parseRuntimeConfig(text, (pointer) => unknown.push(pointer))
  expect(unknown.sort()).toEqual(['/mounts/0/bogus', '/windows'])
  expect(config).not.toHaveProperty('windows')
  expect(config.annotations).toEqual({ 'a/b': 'c' })
})

test('a list is refused in place of a map, whatever other names the document has', () => {
  for (const more of [{}, { bogus: 1 }, { HOSTNAME: 'x' }]) {
    const linux = { sysctl: ['a'], resources: { rdma: [] } }
    expect(failure(JSON.stringify({ ...minimal, annotations: [], linux, ...more })).message).toBe(
      'config.json is invalid: 3 problems: /annotations: must be an object, not []; ' +
        '/linux/sysctl: must be an object, not an array; /linux/resources/rdma: must be an object, not []',
    )
  }
})

test('every problem is reported at once, each with its pointer', () => {
  const error = failure(
    JSON.stringify({
      ociVersion: '2.0.0',
      process: { args: [], cwd: 'tmp', env: ['A'], user: { uid: 4294967295 }, terminal: 'yes' },
      linux: { namespaces: [{ type: 'net' }], resources: { cpu: { shares: 1.5 } } },
    }),
  )
  expect(error.code).toBe('ERR_CONFIG_INVALID')
  expect(error.message.split('; ')).toHaveLength(9)
  for (const part of [
    '9 problems: ',
    '/ociVersion: must be a version of the runtime specification, 1.x.y, not "2.0.0"',
    '/process/terminal: must be a boolean, not "yes"',
    '/process/user/uid: must be an integer from 0 to 4294967294, not 4294967295',
    '/process/args: must have at least one entry, the program to run, not []',
    '/process/env/0: must be NAME=value, not "A"',
    '/process/cwd: must be an absolute path, not "tmp"',
    '/root: is missing',
    '/linux/namespaces/0/type: must be one of pid, network, mount, ipc, uts, user, cgroup, time, not "net"',
    '/linux/resources/cpu/shares: must be an integer from 0 to 18446744073709551615, not 1.5',
  ]) {
    expect(error.message).toContain(part)
  }
})

test('whole characters are accepted as they are and as escapes', () => {
  const annotations = String.raw`{"a\ud83d\ude00": "\\ud83d 😀 \u00e9 \uD83D\uDE00"}`
  const config = JSON.stringify({ ...minimal, annotations: '' }).replace(
    '"annotations":""',
    `"annotations":${annotations}`,
  )
  expect(parseRuntimeConfig(config).annotations).toEqual({ 'a😀': '\\ud83d 😀 é 😀' })
})

test('a text cannot pass for an integer', () => {
  const annotations = { a: '\0int:5', b: '\0int:x', c: '1234567890123456789', d: '\0int:1234567890123456789' }
  const text = `{"annotations": ${JSON.stringify(annotations)}, "mounts": [12345678901234567890], ${JSON.stringify(minimal).slice(1)}`
  const value = parseExactJson(text)
  expect(value).toMatchObject({ annotations, mounts: [12345678901234567890n] })
  expect(parseExactJson(formatExactJson(value, ''))).toEqual(value)
})

test('a config.json or a process that is null is refused', () => {
  expect(failure('null').message).toBe('config.json is invalid: /: must be an object, not null')
  expect(() => parseProcess('null')).toThrow('/process: must be an object, not null')
})

test.each([
  ['', 'line 1, column 1: the text ends where a value is expected'],
  ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: found "\\"" where "," or "}" is expected'],
  ['{"a": [1, 2,]}', 'line 1, column 13: found "]" where a value is expected'],
  ['{"a": 1,}', 'line 1, column 9: found "}" where a name is expected'],
  ['{"a" 1}', 'line 1, column 6: found "1" where ":" is expected'],
  ['{"a": "x', 'line 1, column 7: found "\\"" where a value is expected'],
  ['{"a": 01}', 'line 1, column 7: found "0" where a value is expected'],
  ['{}\n{}', 'line 2, column 1: there is more text after the document'],
  ['{"a\udcff": 1}', 'line 1, column 4: "\udcff" is not UTF-8'],
  ['{"a": "x\\ud83d\\ude00\\uD83D"}', 'line 1, column 21: the escape of half a character'],
  ['{"a": "\\ud83d", "b": "\\ude00"}', 'line 1, column 8: the escape of half a character'],
  ['{"a": "\\ude00\\ud83d"}', 'line 1, column 8: the escape of half a character'],
  ['{"a": "\\ud83d x"}', 'line 1, column 8: the escape of half a character'],
  ['[nul]', 'line 1, column 2: found "n" where a value or ] is expected'],
  ['{"a": {"b": [1]}', 'line 1, column 17: the text ends where "," or "}" is expected'],
])('%j is not JSON: %s', (text, message) => {
  const error = failure(text)
  expect(error.code).toBe('ERR_CONFIG_INVALID')
  expect(error.message).toBe(`config.json is not JSON: ${message}`)
})

test('a document with every field is read unchanged', () => {
  const idMapping = [{ containerID: 0, hostID: 100000, size: 65536 }]
  const hook = [{ path: '/bin/hook', args: ['hook', 'a'], env: ['A=b'], timeout: 5 }]
  const throttle = [{ major: 8, minor: 0, rate: 1000 }]
  const config = {
    ociVersion: '1.3.0',
    process: {
      terminal: true,
      consoleSize: { height: 24, width: 80 },
      user: { uid: 1, gid: 2, umask: 18, additionalGids: [3] },
      args: ['sh'],
      env: ['A=b'],
      cwd: '/',
      capabilities: { bounding: ['CAP_CHOWN'], effective: [], inheritable: [], permitted: [], ambient: [] },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 2, soft: 1 }],
      noNewPrivileges: true,
      apparmorProfile: 'p',
      oomScoreAdj: -5,
      scheduler: {
        policy: 'SCHED_DEADLINE',
        nice: 1,
        priority: 2,
        flags: ['SCHED_FLAG_RESET_ON_FORK'],
        runtime: 3,
        deadline: 4,
        period: 5,
      },
      selinuxLabel: 'l',
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
      execCPUAffinity: { initial: '0', final: '1' },
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'h',
    domainname: 'd',
    mounts: [
      {
        destination: '/a',
        type: 'bind',
        source: '/b',
        options: ['bind'],
        uidMappings: idMapping,
        gidMappings: idMapping,
      },
    ],
    hooks: {
      prestart: hook,
      createRuntime: hook,
      createContainer: hook,
      startContainer: hook,
      poststart: hook,
      poststop: hook,
    },
    annotations: { a: 'b' },
    linux: {
      uidMappings: idMapping,
      gidMappings: idMapping,
      sysctl: { 'net.a': '1' },
      resources: {
        devices: [{ allow: false, type: 'c', major: 1, minor: -1, access: 'rwm' }],
        memory: {
          limit: 1,
          reservation: 2,
          swap: -1,
          kernel: 3,
          kernelTCP: 4,
          swappiness: 5,
          disableOOMKiller: true,
          useHierarchy: true,
          checkBeforeUpdate: true,
        },
        cpu: {
          shares: 1,
          quota: -1,
          burst: 2,
          period: 3,
          realtimeRuntime: 4,
          realtimePeriod: 5,
          cpus: '0-1',
          mems: '0',
          idle: 1,
        },
        pids: { limit: 10 },
        blockIO: {
          weight: 10,
          leafWeight: 11,
          weightDevice: [{ major: 8, minor: 0, weight: 1, leafWeight: 2 }],
          throttleReadBpsDevice: throttle,
          throttleWriteBpsDevice: throttle,
          throttleReadIOPSDevice: throttle,
          throttleWriteIOPSDevice: throttle,
        },
        hugepageLimits: [{ pageSize: '2MB', limit: 1 }],
        network: { classID: 1, priorities: [{ name: 'eth0', priority: 1 }] },
        rdma: { mlx: { hcaHandles: 1, hcaObjects: 2 } },
        unified: { 'memory.high': '1' },
      },
      cgroupsPath: '/a',
      namespaces: [{ type: 'pid', path: '/proc/1/ns/pid' }],
      devices: [{ path: '/dev/x', type: 'c', major: 1, minor: 3, fileMode: 438, uid: 0, gid: 0 }],
      netDevices: { eth1: { name: 'eth0' } },
      seccomp: {
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: 1,
        architectures: ['SCMP_ARCH_X86_64'],
        flags: ['SECCOMP_FILTER_FLAG_LOG'],
        listenerPath: '/run/a',
        listenerMetadata: 'm',
        syscalls: [
          {
            names: ['read'],
            action: 'SCMP_ACT_ALLOW',
            errnoRet: 2,
            args: [{ index: 0, value: 1, valueTwo: 2, op: 'SCMP_CMP_MASKED_EQ' }],
          },
        ],
      },
      rootfsPropagation: 'rslave',
      maskedPaths: ['/a'],
      readonlyPaths: ['/b'],
      mountLabel: 'm',
      intelRdt: { closID: 'c', schemata: ['s'], l3CacheSchema: 'l', memBwSchema: 'm', enableMonitoring: true },
      memoryPolicy: { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
      personality: { domain: 'LINUX', flags: [] },
      timeOffsets: { monotonic: { secs: -1, nanosecs: 2 } },
    },
  }
  expect(parse(config)).toEqual(config)
})

test('an integer of 64 bits is exact wherever it stands', () => {
  for (let indent = 0; indent < 40; indent++) {
    const before = ' '.repeat(indent)
    expect(parseExactJson(`${before}[123456789012345, 9007199254740993, 18446744073709551615]`)).toEqual([
      123456789012345,
      9007199254740993n,
      18446744073709551615n,
    ])
    expect(parseExactJson(`${before}9007199254740993`)).toBe(9007199254740993n)
  }
})
