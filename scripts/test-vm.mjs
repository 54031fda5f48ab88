// Runs what is about cgroup v2 and systemd in virtual machines: the integration tests, those of engines, and those of test/vm.
//
//   VM_RUN=/path/to/vm-run.sh npm run test:vm [MACHINE...] [FILE...]     MACHINE: see below; FILE: part of a name
//
// VM_RUN names a program `VM_RUN [-t SECONDS] [--systemd] [-u USER] -- COMMAND [ARGUMENT...]` that runs the command in a
// machine that has cgroup v2 alone and this machine's files at the same paths, /tmp and /run being new ones. It ends with the
// command's status, 124 after SECONDS, or 125 when the machine itself failed. For `hybrid`, which runs when it is named, it must
// heed VM_KERNEL_ARGUMENTS: what the kernel and systemd get in place of "cgroup_no_v1=all".
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { userTests } from './user-tests.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const timeoutSeconds = 3000
const machineFailed = 125

/**
 * The flags of each machine, and its tests: parts of names of files, each in a machine that was just started. `env` is for VM_RUN,
 * `inside` for the tests, `prepare`
 * a command before them.
 */
const machines = {
  root: { flags: [], tests: ['vm/cgroups'] },
  systemd: { flags: ['--systemd'], tests: ['vm/systemd.test'] },
  hybrid: {
    flags: ['--systemd'],
    tests: ['vm/systemd-hybrid'],
    env: { VM_KERNEL_ARGUMENTS: 'systemd.unified_cgroup_hierarchy=0' },
  },
  delegated: { flags: ['-u', 'tester'], tests: ['vm/delegated'] },
  user: { flags: ['--systemd', '-u', 'tester'], tests: ['vm/systemd-user'] },
  engines: {
    flags: ['--systemd'],
    tests: testFiles('test/e2e').filter((path) => path.includes('/engines-')),
    // The results are lines of the output, which scripts/engines.mjs finds.
    inside: ['SLOWNESS=10', 'ENGINES_TABLE=/dev/stdout', 'ENGINES_ROUNDS=1'],
    // Docker starts no container where AppArmor is on and its program is not installed.
    prepare: 'command -v apparmor_parser >&- || umount /sys/kernel/security',
  },
  integration: { flags: [], tests: testFiles('test/integration') },
  'user-integration': { flags: ['--systemd', '-u', 'tester'], tests: userTests, inside: ['ROOTLESS=1'] },
}
/** The others take an hour, or a machine of another kind. */
const quick = ['root', 'systemd', 'delegated', 'user']

const runner = process.env.VM_RUN
if (runner === undefined) fail('VM_RUN is not set: name a program that runs a command in a cgroup v2 machine')
try {
  accessSync(runner, constants.X_OK)
} catch (error) {
  fail(`VM_RUN: "${runner}" cannot be executed: ${error.message}`)
}

const words = process.argv.slice(2)
const isMachine = (word) => Object.hasOwn(machines, word)
const files = words.filter((word) => !isMachine(word))
const names = words.some(isMachine) ? words.filter(isMachine) : quick
if (files.length > 0 && names.length > 1) fail(`in which machine? ${Object.keys(machines).join(', ')}`)
const failed = names.flatMap(failures)
if (failed.length > 0) fail(`there are failures: ${failed.join(', ')}`)

/** Which of the files of a machine fail. */
function failures(name) {
  const machine = machines[name]
  return (files.length > 0 ? files : machine.tests)
    .filter((file) => !passes(machine, file))
    .map((file) => `${name} ${file}`)
}

function passes(machine, file) {
  console.log(`test-vm: ${[...machine.flags, file].join(' ')}`)
  let status = runInMachine(machine, file)
  if (status === machineFailed) {
    // An emulated processor that patches the kernel's code on one CPU while the other runs it crashes now and then.
    console.error('test-vm: the machine itself failed; once more')
    status = runInMachine(machine, file)
  }
  if (status === 124) console.error(`test-vm: ${file}: stopped after ${timeoutSeconds} s`)
  else if (status !== 0) console.error(`test-vm: ${file}: failed with status ${status}`)
  return status === 0
}

function runInMachine({ flags, env = {}, inside = [], prepare = ':' }, file) {
  // Loaded without a copy of it beside the modules, where a user may not write.
  const config = ['--config', 'test/vitest.vm.config.mjs', '--configLoader', 'native']
  const vitest = ['node_modules/.bin/vitest', 'run', ...config, file]
  // A disk to set limits for, network devices to move, what CRIU wants: such machines have none. A user needs none of it.
  const diag = ['inet', 'tcp', 'udp', 'raw', 'unix', 'netlink', 'af_packet'].map((name) => `${name}_diag`).join(' ')
  const modules = `{ busybox modprobe brd rd_nr=1 rd_size=16384; busybox modprobe -a veth loop ${diag}; } 2>/dev/null`
  const { COMMAND_LINE } = process.env // see test/command-line.ts
  const chosen = COMMAND_LINE === undefined ? [] : [`COMMAND_LINE=${COMMAND_LINE}`]
  // A home that can be written to.
  const words = ['env', 'MUST_WORK=1', 'HOME=/tmp', ...chosen, ...inside, process.execPath, ...vitest]
  const command = ['sh', '-c', `${modules}; { ${prepare}; } 2>/dev/null; exec "$@"`, 'sh', ...words]
  const args = ['-t', String(timeoutSeconds), ...flags, '--', ...command]
  const stdio = ['ignore', 'inherit', 'inherit']
  return spawnSync(runner, args, { cwd: root, stdio, env: { ...process.env, ...env } }).status
}

function testFiles(directory) {
  const names = readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.test.ts')).map((name) => join(directory, name))
}

function fail(message) {
  console.error(`test-vm: ${message}`)
  process.exit(1)
}
