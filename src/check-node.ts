/** Imported first of all: what comes after it may need a Node.js that this one is not. */
import { nodeProblem } from './node-version.ts'

const problem = nodeProblem(process.versions.node)
if (problem !== undefined) throw withoutStack(new Error(problem))

/** Where the error was made is of no use to anybody. */
function withoutStack(error: Error): Error {
  error.stack = String(error)
  return error
}
