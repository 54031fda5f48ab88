// Writes dist/bin/NAME.cache for the NAME given: V8's code of those functions of dist/bin/NAME.js that a typical command
// of root runs on any host, whoever builds. No container is started: the programs go to a front that does nothing.
//
//   cli         the command line
//   compiler    what the front starts to compile a program, with the flags that it gives to Node.js
//   seccomp.code  what that loads to compile a filter, with the same flags
import fs, { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultConfig } from '../dist/bundle/default-config.js'
import * as errors from '../dist/errors.js'
import { stateFile } from '../dist/program/contract.js'
import { keepCode, scriptOf } from './script-cache.mjs'

const place = mkdtempSync(join(tmpdir(), 'code-cache-'))
const name = process.argv[2]
const filename = fileURLToPath(new URL(`../dist/bin/${name}.js`, import.meta.url))
const require = createRequire(filename)
const script = scriptOf(filename)

/** Facts about root of the host. One who builds as somebody else has fewer rights, and a container of root's is refused. */
const root = {
  '/proc/self/status': 'Name:\tnode\nCapEff:\t000001ffffffffff\n',
  '/proc/self/uid_map': '         0          0 4294967295\n',
}
process.geteuid = () => 0
process.getegid = () => 0

/** Programs differ with the kind of cgroups: the cache is for each of them, whatever this host has. */
const controllers = ['cpuset', 'cpu,cpuacct', 'blkio', 'memory', 'devices', 'freezer', 'pids', 'name=systemd']
const hosts = [
  {
    cgroup: '0::/user.slice/user-0.slice/session-1.scope\n',
    mounts: ['/sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate'],
  },
  {
    cgroup: ['', ...controllers].map((names, index) => `${index}:${names}:/user.slice\n`).join(''),
    mounts: [
      '/sys/fs/cgroup/unified rw - cgroup2 cgroup rw',
      ...controllers.map((names) => `/sys/fs/cgroup/${names.replace('name=', '')} rw - cgroup cgroup rw,${names}`),
    ],
  },
]

/** Stands for each mount point; the mounts are of device 0:99. */
const mountPoint = { dev: 99n, ino: 1n, mode: 0o040755n }

/** The same code, loaded on such a host. */
function loadOn({ cgroup, mounts }) {
  const own = mounts.map((mount, index) => `${index + 2} 1 0:99 / ${mount}`)
  const files = {
    ...root,
    '/proc/self/cgroup': cgroup,
    '/proc/self/mountinfo': ['1 0 0:1 / / rw - ext4 /dev/sda rw', ...own].join('\n'),
  }
  const picture = mkdtempSync(join(place, 'host-'))
  const pictured = (path) => {
    if (!Object.hasOwn(files, path)) return path
    const copy = join(picture, path.replaceAll('/', '-'))
    writeFileSync(copy, files[path])
    return copy
  }
  const mountPoints = own.map((line) => line.split(' ')[4])
  const replaced = {
    './errors.js': errors,
    'node:fs': {
      ...fs,
      readFileSync: (path, ...more) => readFileSync(pictured(path), ...more),
      openSync: (path, ...more) => openSync(pictured(path), ...more),
      lstatSync: (path, ...more) => (mountPoints.includes(path) ? mountPoint : fs.lstatSync(path, ...more)),
    },
  }
  const module = { exports: {} }
  script.runInThisContext()(module.exports, (id) => replaced[id] ?? require(id), module, filename)
  return module.exports
}

const callOf = {
  cli: async ({ main }, ...args) => {
    let said = ''
    const stderr = {
      write(text) {
        said += text
      },
    }
    const stdout = { write() {} }
    const status = await main(args, { name: 'bundle-tool', stdout, stderr, env: {}, euid: 0, handOver() {} })
    // The container is one that runs.
    if (status !== (args.includes('start') ? 1 : 0)) throw new Error(`${args.join(' ')}: ${status} ${said.trim()}`)
  },
  compiler: async ({ compileCall }, ...args) => {
    const program = join(place, 'program')
    const cause = await compileCall(args, {}, openSync(program, 'w'))
    if (statSync(program).size === 0) throw new Error(`no program for ${args.join(' ')}: ${cause}`, { cause })
  },
  'seccomp.code': ({ compileSeccomp }) => compileSeccomp(seccompProfile(), process.arch),
}
const commands = {
  cli: ['run', 'create', 'exec', 'spec', 'start', 'state', 'list'],
  compiler: ['run', 'create', 'exec'],
  'seccomp.code': ['run'],
}

try {
  const [state, bundle, engine] = ['root', 'bundle', 'engine'].map((word) => join(place, word))
  const config = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
  const linux = { ...config.linux, seccomp: seccompProfile() }
  const plain = { ...config, linux, process: { ...config.process, terminal: false } }
  makeBundle(bundle, plain)
  makeBundle(engine, engineConfig(plain))
  writeState(join(state, 'running'), bundle)
  const words = {
    run: ['--bundle', bundle, 'demo'],
    create: ['--bundle', engine, '--pid-file', join(place, 'pid'), 'demo'],
    exec: ['running', '/bin/true'],
    spec: ['--bundle', place],
    start: ['running'],
    state: ['running'],
    list: [],
  }
  for (const exports of hosts.map(loadOn)) {
    for (const command of commands[name]) await callOf[name](exports, '--root', state, command, ...words[command])
  }
} finally {
  rmSync(place, { recursive: true, force: true })
}
keepCode(script, filename)

function makeBundle(bundle, config) {
  mkdirSync(join(bundle, 'rootfs'), { recursive: true })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
}

/** A config.json as engines write it, with more than `spec` has: limits, devices, a user, files of the host and hooks. */
function engineConfig({ linux, process, mounts, ...config }) {
  const file = {
    destination: '/etc/hosts',
    type: 'bind',
    source: fileURLToPath(import.meta.url),
    options: ['rbind', 'rprivate'],
  }
  const hook = { path: '/bin/true', args: ['true'], env: ['A=b'], timeout: 5 }
  const device = { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 }
  const { type, major, minor } = device
  const capabilities = process.capabilities.bounding
  return {
    ...config,
    mounts: [...mounts, file],
    annotations: { 'org.example.name': 'value' },
    hooks: { prestart: [hook], poststop: [hook] },
    process: {
      ...process,
      user: { uid: 1000, gid: 1000, additionalGids: [10] },
      capabilities: { ...process.capabilities, ambient: capabilities, inheritable: capabilities },
      oomScoreAdj: 0,
    },
    linux: {
      ...linux,
      cgroupsPath: '/engine/demo',
      sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0' },
      devices: [device],
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type, major, minor, access: 'rwm' },
        ],
        memory: { limit: 1 << 30, swap: 1 << 30, reservation: 1 << 29, disableOOMKiller: false },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: '0' },
        pids: { limit: 100 },
        blockIO: { weight: 0 },
      },
    },
  }
}

/** A seccomp profile with rules of each kind that engines write. */
function seccompProfile() {
  const action = 'SCMP_ACT_ALLOW'
  const personality = [0, 8, 0xffffffff].map((value) => [{ index: 0, value, op: 'SCMP_CMP_EQ' }])
  const namespaces = [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]
  const noVirtualSockets = [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }]
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: [
      { names: ['read', 'write', 'openat', 'close', 'accept', 'statx', 'a_name_that_no_kernel_has'], action },
      ...personality.map((args) => ({ names: ['personality'], action, args })),
      { names: ['clone'], action, args: namespaces },
      { names: ['socket'], action, args: noVirtualSockets },
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    ],
  }
}

/** The state of a container whose first process is this one. */
function writeState(directory, bundle) {
  const init_process_start = Number(readFileSync('/proc/self/stat', 'latin1').replace(/.*\) /s, '').split(' ')[19])
  const namespaces = ['NEWNS', 'NEWPID', 'NEWNET', 'NEWIPC', 'NEWUTS'].map((type) => ({ type }))
  const config = { rootfs: join(bundle, 'rootfs'), labels: [`bundle=${bundle}`], namespaces }
  mkdirSync(directory, { recursive: true })
  writeFileSync(
    join(directory, stateFile),
    JSON.stringify({ id: 'running', init_process_pid: process.pid, init_process_start, cgroup_paths: {}, config }),
  )
}
