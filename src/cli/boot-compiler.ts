import { nodeProblem } from '../node-version.ts'
import { noProgram, variables } from '../program/contract.ts'
import { loadCached } from './cached-script.ts'

if (nodeProblem(process.versions.node) === undefined) compile()
else process.exitCode = noProgram

function compile(): void {
  const { compileCall } = loadCached<typeof import('./compiler.ts')>(__dirname, 'compiler', require)
  void compileCall(process.argv.slice(2), process.env, Number(process.env[variables.handover])).then(() => {
    process.exitCode = noProgram
  })
}
