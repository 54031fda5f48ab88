// Runs containers and prints the seconds that took, this program's own start left out.
import { spawn } from 'node:child_process'
import { library } from './machine.mjs'

const { count, bundle, root, command } = JSON.parse(process.argv[2])
const once = command ? start : await throughLibrary()

const begin = process.hrtime.bigint()
for (let i = 0; i < count; i++) {
  const status = await once()
  if (status !== 0) throw new Error(`a container ended with ${status}`)
}
console.log(Number(process.hrtime.bigint() - begin) / 1e9)

function start() {
  return new Promise((resolve, reject) => {
    const [program, ...flags] = command
    const child = spawn(program, [...flags, 'run', '-b', bundle, 'bench'], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code))
  })
}

/** Who starts another program has not loaded the library. */
async function throughLibrary() {
  const { run } = await import(library)
  return () => run({ id: 'bench', bundle, root })
}
