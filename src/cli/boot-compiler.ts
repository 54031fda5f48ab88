import { nodeProblem } from '../node-version.ts'
import { loadCached } from './cached-script.ts'

/** What the front understands as: there is no program, and nothing was done or said (NO_PROGRAM in native/front/front.h). */
const notCompiled = 75

if (nodeProblem(process.versions.node) === undefined) compile()
else process.exitCode = notCompiled

function compile(): void {
  const { compileCall } = loadCached<typeof import('./compiler.ts')>(__dirname, 'compiler', require)
  void compileCall(process.argv.slice(2), process.env, Number(process.env.BUNDLE_TOOL_HANDOVER)).then(() => {
    process.exitCode = notCompiled
  })
}
