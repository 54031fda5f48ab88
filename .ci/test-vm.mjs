// Runs test/vm in virtual machines: one that has cgroup v2 alone, one with systemd as well, and one where a user has logged in.
//
//   VM_RUN=/path/to/vm-run.sh npm run test:vm [NAME...]     NAME: of a file in test/vm; all of them without
//
// VM_RUN names a program `VM_RUN [-t SECONDS] [--systemd] [-u USER] -- COMMAND [ARGUMENT...]` that runs the command in a
// machine that has cgroup v2 alone and this machine's files at the same paths, /tmp and /run being new ones. It ends with the
// command's status, 124 after SECONDS, or 125 when the machine itself failed.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const timeoutSeconds = 580
const machineFailed = 125

/** What a machine must be for the tests of a file; for the others, nothing more than root's. */
const machines = {
  'systemd.test.ts': ['--systemd'],
  'systemd-user.test.ts': ['--systemd', '-u', 'tester'],
}

const runner = process.env.VM_RUN
if (runner === undefined) fail('VM_RUN is not set: name a program that runs a command in a cgroup v2 machine')
try {
  accessSync(runner, constants.X_OK)
} catch {
  fail(`VM_RUN: "${runner}" cannot be executed`)
}

const names = process.argv.slice(2)
const files = readdirSync(`${root}/test/vm`).filter(
  (file) => file.endsWith('.test.ts') && (names.length === 0 || names.some((name) => file.includes(name))),
)
if (files.length === 0) fail(`no file of test/vm is named like ${names.join(', ')}`)
const failed = [...new Set(files.map((file) => (machines[file] ?? []).join(' ')))].filter(
  (flags) =>
    !passes(
      flags,
      files.filter((file) => (machines[file] ?? []).join(' ') === flags),
    ),
)
if (failed.length > 0) fail('there are failures')

/** Whether the tests succeed in a machine of these flags. */
function passes(flags, tests) {
  const label = `${tests.join(' ')} (${flags || 'root'})`
  console.log(`test-vm: ${label}`)
  let status = runInMachine(flags, tests)
  if (status === machineFailed) {
    // An emulated processor that patches the kernel's code on one CPU while the other runs it crashes now and then.
    console.error('test-vm: the machine itself failed; once more')
    status = runInMachine(flags, tests)
  }
  if (status === 124) console.error(`test-vm: ${label}: stopped after ${timeoutSeconds} s`)
  else if (status !== 0) console.error(`test-vm: ${label}: failed with status ${status}`)
  return status === 0
}

function runInMachine(flags, tests) {
  // Loaded without a copy of it beside the modules, where a user may not write.
  const config = ['--config', '.vitest.vm.config.mjs', '--configLoader', 'native']
  const vitest = ['node_modules/.bin/vitest', 'run', ...config, ...tests.map((name) => `vm/${name}`)]
  // A home that can be written to.
  const command = ['env', 'MUST_WORK=1', 'HOME=/tmp', process.execPath, ...vitest]
  const args = ['-t', String(timeoutSeconds), ...flags.split(' ').filter(Boolean), '--', ...command]
  return spawnSync(runner, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status
}

function fail(message) {
  console.error(`test-vm: ${message}`)
  process.exit(1)
}
