import { constants } from 'node:os'
import { CommanderError } from 'commander'
import { isSystemError, OciError, reworded } from '../errors.ts'
import { nodeCommands, runtimeAlone } from '../program/contract.ts'
import { rewriteArguments } from './arguments.ts'
import { commandNames, kindOf } from './commands.ts'
import type { CommandContext } from './context.ts'
import { describeAsJson, describeInLines, describeInOneLine, describeStack } from './errors.ts'
import { firstThatIsNoText } from './exact-words.ts'
import { asksForJson, hasFormat, jsonLog, printsJson } from './format.ts'
import { asksForLog, type Globals } from './globals.ts'
import { type IO, plainIO } from './io.ts'
import { type Log, openLog } from './log.ts'
import { newProgram } from './program.ts'
import { describeUnexpected } from './unexpected-error.ts'
import { UnknownCommand } from './unknown-command.ts'

/**
 * The command line: arguments in, text out.
 *
 * @param args without the interpreter and the script
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage of a command for people (of a runtime command: 1, as runc), 3
 *   no such command, 128 + the signal that has interrupted it; 255 `exec` failed; 125 to 127 `try` did, as docker's `run`; of `run` and `exec` in
 *   the foreground, the process's own
 */
export async function main(args: readonly string[], given: IO): Promise<number> {
  const io = plainIO(given)
  let status = 0
  let log: Log = () => {}
  /** Not known before the command's options are. */
  let isJson: boolean | undefined
  const context: CommandContext = {
    io,
    args,
    globals: () => program.opts<Globals>(),
    log: (level, message) => log(level, message),
    isJson: () => isJson === true,
    print: (data, text, output = io.stdout) => output.write(isJson ? `${JSON.stringify(data)}\n` : text(data)),
    exit: (code) => {
      status = code
    },
  }
  const program = newProgram(context, args)
  program.hook('preAction', (_, action) => {
    const call = { command: action.name(), options: action.optsWithGlobals(), words: action.args }
    const wrong = firstThatIsNoText(call)
    if (wrong !== undefined) {
      throw new OciError('ERR_USAGE', `${wrong} is not UTF-8`, { hint: 'use a name that is, or a link with one' })
    }
    isJson = printsJson(action)
    // Opening standard error takes a millisecond, and most commands have nothing to say.
    const stderr = { write: (text: string) => io.stderr.write(text) }
    const globals = context.globals()
    log = isJson && !asksForLog(globals) ? jsonLog(stderr, globals.debug) : openLog(logOptions(globals), stderr)
    checkNode(action.name(), io)
    if (io.compilerFault !== undefined) {
      const what = `${action.name()} is compiled again by all of the command line`
      log('warning', describeUnexpected(what, io.compilerFault))
    }
  })

  const { args: rewritten, command, commandName, problem } = rewriteArguments(program, args)

  function fail(error: unknown): number {
    const isForPeople = command !== undefined && kindOf(command.name()) === 'image'
    const called = `${io.name} ${command?.name() ?? ''}`.trim()
    isJson ??= (command === undefined || hasFormat(command)) && asksForJson(args)
    const form = isJson ? 'json' : isForPeople ? 'text' : 'log'
    report(inWordsOfRunc(asOwn(error, called), called), form, context)
    if (error instanceof OciError && error.code === 'ERR_INTERRUPTED' && isForPeople) {
      return 128 + constants.signals[io.interruptedBy?.() ?? 'SIGINT']
    }
    if (command?.name() === 'try') return exitCodeOfTry(error)
    return command?.name() === 'exec' ? 255 : exitCodeOf(error, isForPeople)
  }

  io.onLostOutput?.(fail)
  try {
    if (problem !== undefined || (commandName !== undefined && command === undefined)) {
      program.parseOptions([...rewritten])
      throw problem ?? new UnknownCommand(commandName ?? '', io.name, commandNames)
    }
    await program.parseAsync([...rewritten], { from: 'user' })
    return status
  } catch (error) {
    return error instanceof CommanderError && error.exitCode === 0 ? 0 : fail(error)
  }
}

/** As docker's and podman's `run`, whose other exit codes are the container's. */
function exitCodeOfTry(error: unknown): number {
  if (!(error instanceof OciError)) return 125
  return error.code === 'ERR_COMMAND_NOT_FOUND' ? 127 : error.code === 'ERR_COMMAND_NOT_EXECUTABLE' ? 126 : 125
}

/** @throws OciError `ERR_NOT_SUPPORTED` for a command that needs Node.js, where there is none */
function checkNode(command: string, { noNode }: Pick<IO, 'noNode'>): void {
  if (noNode === undefined || !nodeCommands.some((name) => name === command)) return
  if (noNode === runtimeAlone) {
    throw new OciError(
      'ERR_NOT_SUPPORTED',
      `"${command}" is for images, and this is the runtime of bundle-tool alone`,
      {
        hint: 'install the package of bundle-tool, with Node.js 20.19 or newer',
      },
    )
  }
  const why = noNode === '' ? '' : `, and others than you and root can change ${noNode}`
  throw new OciError('ERR_NOT_SUPPORTED', `"${command}" needs Node.js, and node is not in PATH${why}`, {
    hint: 'install Node.js 20.19 or newer in /usr/local/bin or /usr/bin, or add its directory to PATH (under sudo: sudo env "PATH=$PATH" bundle-tool ...)',
  })
}

function exitCodeOf(error: unknown, isForPeople: boolean): number {
  if (error instanceof UnknownCommand) return 3
  if (!isForPeople) return 1
  return error instanceof CommanderError || (error instanceof OciError && error.code === 'ERR_USAGE') ? 2 : 1
}

function logOptions({ logFormat: format, log: file, debug }: Globals): Parameters<typeof openLog>[0] {
  if (format === 'text' || format === 'json') return { format, file, debug }
  throw new OciError('ERR_USAGE', `invalid log-format: ${String(format)}`, { hint: 'use text or json' })
}

/** Writes the one error of this run, as a line of the log or, for people, as text or JSON. */
function report(error: unknown, form: 'log' | 'text' | 'json', { globals, io }: CommandContext): void {
  const { debug } = globals()
  if (form !== 'log' && !asksForLog(globals())) {
    io.stderr.write(form === 'json' ? describeAsJson(error, debug) : describeInLines(error))
    if (debug && form === 'text') io.stderr.write(`${describeStack(error)}\n`)
    return
  }
  const repeat = form === 'json' ? () => io.stderr.write(describeAsJson(error, debug)) : undefined
  const write = openLogOrText(globals(), io, repeat)
  if (debug) write('debug', describeStack(error))
  write('error', describeInOneLine(error))
}

/** Gives an error of a container's set-up the words before it that tools look for in runc's messages. */
function inWordsOfRunc(error: unknown, called: string): unknown {
  const verb = / (run|create|exec)$/.exec(called)?.[1]
  if (!(error instanceof OciError) || verb === undefined || !setUpErrors.includes(error.code)) return error
  const where = error.code === 'ERR_SYSCALL' ? 'error during container init: ' : ''
  const subject = verb === 'exec' ? 'exec' : called
  return reworded(error, `${subject} failed: unable to start container process: ${where}${error.message}`)
}

const setUpErrors: readonly string[] = [
  'ERR_SYSCALL',
  'ERR_COMMAND_NOT_FOUND',
  'ERR_COMMAND_NOT_EXECUTABLE',
  'ERR_HOOK',
]

/** The log asked for; when that is what failed, standard error: what `repeat` writes, or else text. */
function openLogOrText(globals: Globals, { stderr }: CommandContext['io'], repeat: (() => void) | undefined): Log {
  try {
    return openLog({ ...logOptions(globals), repeat }, stderr)
  } catch (error) {
    if (!(error instanceof OciError || isSystemError(error))) throw error
    if (repeat !== undefined) return (level) => level === 'error' && repeat()
    return openLog({ format: 'text', debug: globals.debug }, stderr)
  }
}

/** Makes an OciError of an error of the argument parser, and of a system error that names a file. */
function asOwn(error: unknown, called: string): unknown {
  if (isSystemError(error) && error.path !== undefined) {
    const [, problem = 'it failed'] = /^\w+: (.*?), /.exec(error.message) ?? []
    const message = `${error.syscall} "${error.path}": ${problem} (${error.code})`
    return new OciError('ERR_FILE_SYSTEM', message, { cause: error })
  }
  if (!(error instanceof CommanderError)) return error
  const message = error.message.replace(/^error: /, '').replace(/\.$/, '')
  return new OciError('ERR_USAGE', message, { hint: `see "${called} --help"`, cause: error })
}
