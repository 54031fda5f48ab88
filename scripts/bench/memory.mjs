// The memory that stays beside a container in the foreground: every process of the tool that lives as long as it does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeBundle, runtimes, setting } from './containers.mjs'
import { family, statusBytes, timedShell } from './processes.mjs'

export async function memory({ scratch, rounds }) {
  const bundle = await makeBundle(scratch, 'memory-bundle', ['/bin/sleep', '1000'])
  const rows = runtimes(scratch).map(({ name }) => ({ name: `${name} run`, unit: 'bytes', values: [] }))
  for (let round = 0; round < rounds; round++) {
    for (const [index, runtime] of runtimes(scratch).entries()) {
      rows[index].values.push(await resident(runtime, bundle))
    }
  }
  return [
    {
      title: `resident memory beside a foreground container (${setting()})`,
      rows,
      budgets: [
        { of: 'bundle-tool run', against: 'runc run', ratio: 0.1 },
        { of: 'bundle-tool run', against: 'crun run' },
        { of: 'bundle-tool run', atMost: 1e6 },
      ],
    },
  ]
}

async function resident({ command: [program, ...flags] }, bundle) {
  const tool = spawn(program, [...flags, 'run', '-b', bundle, 'bench'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(tool, 'exit')
  const isContainer = (pid) => readCommand(pid).startsWith('/bin/sleep\0')
  try {
    while (!family(tool.pid).some(isContainer)) {
      if (tool.exitCode !== null) throw new Error(`${program} run ended with ${tool.exitCode}`)
      await sleep(20)
    }
    await sleep(300) // what the tool needed to get here is let go by now
    return family(tool.pid)
      .filter((pid) => !isContainer(pid))
      .reduce((sum, pid) => sum + (statusBytes(pid, 'VmRSS') ?? 0), 0)
  } finally {
    if (tool.exitCode === null) timedShell('"$@"', [program, ...flags, 'kill', 'bench', 'KILL'])
    await ended
  }
}

function readCommand(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch (error) {
    if (error.syscall === undefined) throw error
    return '' // it has ended
  }
}
