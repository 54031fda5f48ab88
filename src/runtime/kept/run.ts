import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CompileOptions } from '../../compile/context.ts'
import { maxOrderBytes, noProgram, variables } from '../../program/contract.ts'
import type { Execution } from '../execute.ts'
import { ForkServer } from '../fork-server.ts'
import { describeInheritance } from '../inheritance.ts'
import { ownBinary } from '../own-binary.ts'
import type { RunProgramOptions } from '../runner.ts'
import type { KeptOrigin } from './program.ts'

const commands = { create: ['create'], detached: ['run', '--detach'], foreground: ['run'] } as const

/**
 * Executes the program that was kept for this bundle, root and mode, in a process that the fork server makes.
 *
 * @returns undefined when there is no such program, or a fact that it was compiled from has changed: the caller
 *   compiles
 */
export async function runKept(
  { mode, root, bundle }: Pick<KeptOrigin, 'root' | 'bundle'> & Pick<CompileOptions, 'mode'>,
  options: RunProgramOptions,
): Promise<Execution | undefined> {
  const front = ownBinary('bundle-tool')
  if (process.env[variables.runner] !== undefined || !existsSync(front) || !existsSync(root)) return undefined
  const words = ['--root', root, ...commands[mode], '--bundle', resolve(bundle), options.id]
  if (words.some((word) => word.includes('\0')) || Buffer.byteLength(words.join('\0')) >= maxOrderBytes)
    return undefined
  const execution = await runInFork(front, words, options)
  return execution?.code === noProgram && execution.reports.length === 0 ? undefined : execution
}

async function runInFork(
  front: string,
  words: readonly string[],
  options: RunProgramOptions,
): Promise<Execution | undefined> {
  const { stdin, stdout, stderr } = options.stdio ?? {}
  const given = [stdin, stdout, stderr].map((way) => (typeof way === 'number' ? way : 'inherit'))
  if (given.every((way) => way === 'inherit')) return await runInCurrent(front, words, options)
  const server = ForkServer.start(front, given)
  try {
    return await server?.run(words, options)
  } finally {
    server?.retire()
  }
}

/** The fork server for runs with this process's own descriptors. */
let current: { readonly server: ForkServer; readonly inheritance: string | undefined } | undefined

/** Runs in one server as long as everything that containers inherit from this process stays the same. */
async function runInCurrent(
  front: string,
  words: readonly string[],
  options: RunProgramOptions,
): Promise<Execution | undefined> {
  if (current?.server.isUsable && current.inheritance !== undefined && current.inheritance === describeInheritance()) {
    return await current.server.run(words, options)
  }
  current?.server.retire()
  const server = ForkServer.start(front, ['inherit', 'inherit', 'inherit'])
  const execution = server?.run(words, options)
  current = server && { server, inheritance: describeInheritance() } // evaluated last: the first time takes Node.js a while
  return await execution
}
