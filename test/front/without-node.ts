import { join } from 'node:path'

/** A PATH whose `node` fails: the tool finds another one where PATH has none. */
export const withoutNode: string = join(import.meta.dirname, '../../fixtures/without-node')

/** The exit code of that `node`, and what it says. */
export const nodeStarted = { status: 99, said: 'node was started' } as const

/** Nothing but Node.js may compile: the front starts no interpreter. */
export const withoutInterpreter = { BUNDLE_TOOL_INTERPRETER: '' } as const

/** The variables of a call with a PATH: where it is `withoutNode`, nothing compiles. */
export const variablesFor = (path: string): Readonly<Record<string, string>> =>
  path === withoutNode ? { PATH: path, ...withoutInterpreter } : { PATH: path }
