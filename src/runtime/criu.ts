import { closeSync, constants, mkdirSync, openSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { isSystemError, OciError } from '../errors.ts'
import { isExecutable } from '../host/door.ts'
import type { Program } from '../program/program.ts'
import type { Outcome } from './execute.ts'
import { runTool } from './run-tool.ts'
import { type RunProgramOptions, runProgram } from './runner.ts'

export interface Criu {
  /** Absolute path of the executable. */
  readonly path: string
  /** The version as a number: 31701 for 3.17.1. */
  readonly version: number
}

/** Name of a file in the image directory: the targets of the container's stdin, stdout and stderr. */
export const descriptorsFile = 'descriptors.json'

const oldestVersion = 30000

/**
 * Finds CRIU in PATH.
 *
 * @throws OciError `ERR_CRIU` there is none, or it is older than 3.0
 */
export async function findCriu(searchPath: string = process.env.PATH ?? ''): Promise<Criu> {
  const path = searchPath
    .split(delimiter)
    .map((directory) => join(directory, 'criu'))
    .find(isExecutable)
  if (path === undefined) {
    throw new OciError('ERR_CRIU', 'CRIU version check failed: exec: "criu": executable file not found in $PATH', {
      hint: 'install it: apt-get install criu',
    })
  }
  const { stdout } = await runTool(path, ['--version'])
  const [, major = 0, minor = 0, sub = 0] =
    /Version: (\d+)\.(\d+)(?:\.(\d+))?/.exec(stdout)?.map((part) => Number(part ?? 0)) ?? []
  const version = major * 10000 + minor * 100 + sub
  if (version >= oldestVersion) return { path, version }
  throw new OciError('ERR_CRIU', `CRIU version ${version} must be ${oldestVersion} or higher`)
}

/** Checks that CRIU and the kernel support a feature. @throws OciError `ERR_CRIU` one of them does not */
export async function requireFeature({ path }: Criu, feature: string): Promise<void> {
  const { status, stderr } = await runTool(path, ['check', '--feature', feature])
  if (status === 0) return
  const reason = stderr.trim().split('\n').at(-1) ?? ''
  throw new OciError('ERR_CRIU', `criu is missing features: [${feature}]: ${reason}`)
}

export interface CriuPlaces {
  /** The directory of the images, an absolute path as is `workPath`. */
  readonly imagePath: string
  /** The directory of logs. */
  readonly workPath: string
}

/**
 * Runs a program with a CRIU request, passing the directories and `more` as the descriptors of `criuFds`.
 *
 * After a failure `warn` is called with the errors in CRIU's log.
 * @throws OciError `ERR_CRIU` with CRIU's reason, and the errors of `runProgram`
 */
export async function runCriu(
  program: Program,
  options: RunProgramOptions & {
    readonly places: CriuPlaces
    readonly more?: readonly number[]
    readonly logFile: string
    readonly warn?: ((message: string) => void) | undefined
  },
): Promise<Outcome> {
  const { places, more = [], logFile, warn, ...rest } = options
  const descriptors = [openDirectory(places.imagePath), openDirectory(places.workPath)]
  try {
    return await runProgram(program, { ...rest, descriptors: [...descriptors, ...more] })
  } catch (error) {
    if (error instanceof OciError && error.code === 'ERR_CRIU') quoteErrors(join(places.workPath, logFile), warn)
    throw error
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor)
  }
}

/** Opens a directory, which is created when it does not exist; its parent must exist. */
function openDirectory(path: string): number {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error
  }
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
}

const linesBefore = 5

/** Passes each line of the log with an error to `warn`, and `linesBefore` lines before it. */
function quoteErrors(path: string, warn: ((message: string) => void) | undefined): void {
  let lines: readonly string[]
  try {
    lines = readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return
    throw error
  }
  const isQuoted = (index: number): boolean =>
    lines.slice(index, index + linesBefore + 1).some((line) => line.includes('Error'))
  const quoted = lines.flatMap((line, index) => (line !== '' && isQuoted(index) ? [`${index + 1}:${line}`] : []))
  if (quoted.length === 0) return
  warn?.(`--- Quoting "${path}"`)
  for (const line of quoted) warn?.(line)
  warn?.('---')
}
