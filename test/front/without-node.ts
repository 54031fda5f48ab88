import { join } from 'node:path'

/** A PATH whose `node` fails: the tool finds another one where PATH has none. */
export const withoutNode: string = join(import.meta.dirname, '../../fixtures/without-node')

/** The exit code of that `node`, and what it says. */
export const nodeStarted = { status: 99, said: 'node was started' } as const
