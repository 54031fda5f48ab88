// Runs test/vm, which needs cgroup v2, in a virtual machine.
//
//   VM_RUN=/path/to/vm-run.sh npm run test:vm [NAME...]     NAME: of files in test/vm
//
// VM_RUN names a program `VM_RUN [-t SECONDS] -- COMMAND [ARGUMENT...]` that runs the command in a machine that has cgroup v2
// alone and this machine's files at the same paths, /tmp and /run being new ones. It ends with the command's status, 124
// after SECONDS, or 125 when the machine itself failed.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const timeoutSeconds = 580
const machineFailed = 125

const runner = process.env.VM_RUN
if (runner === undefined) fail('VM_RUN is not set: name a program that runs a command in a cgroup v2 machine')
try {
  accessSync(runner, constants.X_OK)
} catch {
  fail(`VM_RUN: "${runner}" cannot be executed`)
}

const vitest = ['node_modules/.bin/vitest', 'run', '--config', '.vitest.vm.config.mjs', ...process.argv.slice(2)]
// A home that can be written to, and no cache beside the files.
const command = ['env', 'MUST_WORK=1', 'HOME=/tmp', process.execPath, ...vitest]
let status = runInMachine()
if (status === machineFailed) {
  // An emulated processor that patches the kernel's code on one CPU while the other runs it crashes now and then.
  console.error('test-vm: the machine itself failed; once more')
  status = runInMachine()
}
if (status === 124) fail(`stopped after ${timeoutSeconds} s`)
if (status !== 0) fail(`failed with status ${status}`)

function runInMachine() {
  const options = { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }
  return spawnSync(runner, ['-t', String(timeoutSeconds), '--', ...command], options).status
}

function fail(message) {
  console.error(`test-vm: ${message}`)
  process.exit(1)
}
