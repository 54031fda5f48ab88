import { closeSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename } from 'node:path'
import { isatty } from 'node:tty'
import { OciError } from '../errors.ts'
import { isHiddenVariable, variablePrefix, variables } from '../program/contract.ts'
import type { Question } from './ask.ts'
import { endBySignal } from './end-by-signal.ts'
import { exactWords } from './exact-words.ts'
import { type InterruptingSignal, interruptingSignals } from './io.ts'
import { main } from './main.ts'
import { standardError, standardOutput } from './standard-output.ts'

export { main }

/** Runs the command line of this process, and sets its exit code. */
export async function runProcess(): Promise<void> {
  const name = takeVariable(variables.name) ?? basename(process.argv[1] ?? 'bundle-tool', '.js')
  giveBackVariables()
  let isReading = false
  let onLoss = (_error: OciError): number => 1
  let interruptedBy: InterruptingSignal | undefined
  const output = standardOutput((error) => onLoss(error))
  const status = await main(exactWords(process.argv.slice(2)), {
    name,
    // Getters: opening a stream takes a millisecond, and most commands use one of the three or none.
    get stdin() {
      isReading = true
      return process.stdin
    },
    get stdout() {
      return output.stream()
    },
    get stderr() {
      return standardError()
    },
    get ask() {
      if (!isatty(0) || !isatty(2)) return undefined
      return async (questions: readonly Question[], signal: AbortSignal) => {
        const { ask } = await import('./ask.ts')
        return ask(questions, { input: process.stdin, output: process.stderr, signal })
      }
    },
    writeBytes: output.writeBytes,
    onLostOutput: (listener) => {
      onLoss = listener
    },
    noNode: takeVariable(variables.noNode),
    compilerFault: faultOf(takeVariable(variables.interpreterEnd)),
    handOver: handOverTo(takeVariable(variables.handover)),
    env: process.env,
    euid: process.geteuid?.() ?? 0,
    interruption: () =>
      abortedBySignals((name) => {
        interruptedBy = name
      }),
    interruptedBy: () => interruptedBy,
  })
  process.exitCode = status
  if (interruptedBy !== undefined && status === 128 + constants.signals[interruptedBy]) endBySignal(interruptedBy)
  // Input that nobody waits for any more must not keep the process alive.
  if (isReading) process.stdin.destroy()
}

/** Variables that the front keeps from Node.js (native/system/environment.c) are as they were for what this process starts. */
function giveBackVariables(): void {
  for (const name of Object.keys(process.env)) {
    const own = name.startsWith(variablePrefix) ? name.slice(variablePrefix.length) : ''
    if (isHiddenVariable(own, false)) process.env[own] = takeVariable(name)
  }
}

/** Takes a variable by which the front tells this process something: the processes that it starts do not get it. */
function takeVariable(name: string): string | undefined {
  const value = process.env[name]
  delete process.env[name]
  return value
}

/** @param status how the interpreter has ended that the front had started to compile the call: as wait(2) has it */
function faultOf(status: string | undefined): string | undefined {
  if (status === undefined) return undefined
  const [code, signal] = [(Number(status) >> 8) & 0xff, Number(status) & 0x7f]
  const [name = `signal ${signal}`] = Object.entries(constants.signals).find(([, number]) => number === signal) ?? []
  return signal === 0 ? `the interpreter has ended with exit code ${code}` : `the interpreter was ended by ${name}`
}

/** The pipe that the front reads a program from. */
function handOverTo(fd: string | undefined): ((message: Uint8Array) => void) | undefined {
  if (fd === undefined) return undefined
  return (message) => {
    writeFileSync(Number(fd), message)
    closeSync(Number(fd))
  }
}

/** A second signal finds no handler and ends the process at once. */
function abortedBySignals(onSignal: (name: InterruptingSignal) => void): AbortSignal {
  const controller = new AbortController()
  for (const name of interruptingSignals) {
    process.once(name, () => {
      onSignal(name)
      controller.abort(new OciError('ERR_INTERRUPTED', `stopped by ${name}`))
    })
  }
  return controller.signal
}
