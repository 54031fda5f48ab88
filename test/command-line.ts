import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

const project = join(import.meta.dirname, '..')

/** The two words that start all of the command line, by what COMMAND_LINE in the environment of the tests says. */
function wordsFor(name: string | undefined): readonly [engine: string, tool: string] {
  if (name === undefined) return [process.execPath, join(project, 'bin/bundle-tool.js')]
  if (name === 'interpreter') {
    // The script says where the others would be.
    return [join(project, 'dist/bundle-tool-interpreter'), join(project, 'dist/bin/bundle-tool.js')]
  }
  return ['/usr/bin/env', resolve(name)] // the path of a front
}

/** Node.js and its script; with COMMAND_LINE=interpreter the interpreter; or env(1) and the front that COMMAND_LINE names. */
export const [engine, tool] = wordsFor(process.env.COMMAND_LINE)

/** The other ways to the same answers: the interpreter, where it is built, and the front. None where COMMAND_LINE chooses one. */
export const otherCommandLines: readonly (readonly string[])[] =
  process.env.COMMAND_LINE === undefined && existsSync(join(project, 'dist/bundle-tool-interpreter'))
    ? ['interpreter', join(project, 'dist/bundle-tool')].map(wordsFor)
    : []
