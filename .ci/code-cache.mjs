// Writes dist/bin/NAME.cache for the NAME given: V8's code of those functions of dist/bin/NAME.js that a typical command
// runs. No container is started: the programs go to a front that does nothing.
//
//   cli         the command line
//   compiler    what the front starts to compile a program, with the flags that it gives to Node.js
//   seccomp     what that loads to compile a filter, with the same flags
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultConfig } from '../dist/bundle/default-config.js'
import * as errors from '../dist/errors.js'
import { keepCode, scriptOf } from './script-cache.mjs'

const name = process.argv[2]
const filename = fileURLToPath(new URL(`../dist/bin/${name}.js`, import.meta.url))
const require = createRequire(filename)
const script = scriptOf(filename)
const module = { exports: {} }
script.runInThisContext()(module.exports, (id) => (id === './errors.js' ? errors : require(id)), module, filename)

const callOf = {
  cli: (...args) => {
    const silent = { write() {} }
    const io = { name: 'bundle-tool', stdout: silent, stderr: silent, env: {}, euid: 0, handOver() {} }
    return module.exports.main(args, io)
  },
  compiler: (...args) => module.exports.compileCall(args, {}, openSync('/dev/null', 'w')),
  seccomp: () => module.exports.compileSeccomp(seccompProfile(), process.arch),
}
const commands = {
  cli: ['run', 'create', 'exec', 'spec', 'start', 'state', 'list'],
  compiler: ['run', 'create', 'exec'],
  seccomp: ['run'],
}

const place = mkdtempSync(join(tmpdir(), 'code-cache-'))
try {
  const [root, bundle] = ['root', 'bundle'].map((word) => join(place, word))
  mkdirSync(join(bundle, 'rootfs'), { recursive: true })
  const config = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
  const linux = { ...config.linux, seccomp: seccompProfile() }
  const text = JSON.stringify({ ...config, linux, process: { ...config.process, terminal: false } })
  writeFileSync(join(bundle, 'config.json'), text)
  writeState(join(root, 'running'), bundle)
  const words = {
    run: ['--bundle', bundle, '--pid-file', join(place, 'pid'), 'demo'],
    create: ['--bundle', bundle, '--pid-file', join(place, 'pid'), 'demo'],
    exec: ['running', '/bin/true'],
    spec: ['--bundle', place],
    start: ['running'],
    state: ['running'],
    list: [],
  }
  for (const command of commands[name]) await callOf[name]('--root', root, command, ...words[command])
} finally {
  rmSync(place, { recursive: true, force: true })
}
keepCode(script, filename)

/** What engines write has rules of each of these kinds. */
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
    join(directory, 'state.json'),
    JSON.stringify({ id: 'running', init_process_pid: process.pid, init_process_start, cgroup_paths: {}, config }),
  )
}
