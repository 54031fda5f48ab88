import { join } from 'node:path'

const project = join(import.meta.dirname, '..')
const isInterpreted = process.env.COMMAND_LINE === 'interpreter'

/**
 * The two words that start all of the command line without the front: Node.js and its script, or with COMMAND_LINE=interpreter
 * in the environment of the tests the interpreter, and a path that says where the scripts would be.
 */
export const engine: string = isInterpreted ? join(project, 'dist/bundle-tool-interpreter') : process.execPath
export const tool: string = join(project, isInterpreted ? 'dist/bin/bundle-tool.js' : 'bin/bundle-tool.js')
