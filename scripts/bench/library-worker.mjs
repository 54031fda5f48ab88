// Runs containers and prints the seconds that took, this program's own start left out, and its memory after each wave.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import pLimit from 'p-limit'
import { library } from './machine.mjs'

const { count, atOnce, waves, bundle, root, command } = JSON.parse(process.argv[2])
const once = command ? start : await throughLibrary()
const limit = pLimit(atOnce)

const begin = process.hrtime.bigint()
const resident = []
for (let wave = 0; wave < waves; wave++) {
  const ids = Array.from({ length: count }, (_, index) => `bench${index}`)
  await Promise.all(ids.map((id) => limit(runOne, id)))
  resident.push(Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024)
}
console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - begin) / 1e9, resident }))

async function runOne(id) {
  const status = await once(id)
  if (status !== 0) throw new Error(`the container ${id} ended with ${status}`)
}

function start(id) {
  return new Promise((resolve, reject) => {
    const [program, ...flags] = command
    const child = spawn(program, [...flags, 'run', '-b', bundle, id], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code))
  })
}

/** A program that starts another one has not loaded the library. */
async function throughLibrary() {
  const { run } = await import(library)
  return (id) => run({ id, bundle, root })
}
