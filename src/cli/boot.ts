import { nodeProblem } from '../node-version.ts'
import { loadCached } from './cached-script.ts'

const problem = nodeProblem(process.versions.node)
if (problem === undefined) start()
else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}

/** Starts the command line that `npm run build` has bundled beside this file. */
function start(): void {
  const { runProcess } = loadCached<typeof import('./process.ts')>(__dirname, 'cli', require)
  void runProcess()
}
