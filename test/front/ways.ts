import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ContainerPlace, Finished } from '../container.ts'
import { variablesFor, withoutNode } from './without-node.ts'

const project = join(import.meta.dirname, '../..')

/** The front, and the command line as a user starts it. */
export const front: string = join(project, 'dist/bundle-tool')
export const script: string = join(project, 'bin/bundle-tool.js')

const tools = '/usr/bin:/bin:/usr/sbin:/sbin'
/** A PATH that names Node.js. */
export const withNode: string = `${dirname(process.execPath)}:${tools}`

/** The ways to call the tool: they differ in which process does what. */
export const ways = {
  'the front, which compiles first': { words: [front], path: withNode, keeps: false },
  'the front, with a kept program': { words: [front], path: withoutNode, keeps: true },
  'Node.js': { words: [process.execPath, script], path: withNode, keeps: false },
} as const
export type Way = keyof typeof ways
export const wayNames: readonly Way[] = Object.keys(ways) as Way[]

export interface CallOptions {
  /** Words before those of the tool: a program that changes something and then runs it. */
  readonly before?: readonly string[]
  /** The redirections of the shell: the output is in two files unless they say otherwise. */
  readonly redirections?: string
  readonly env?: Readonly<Record<string, string>>
  /** Takes back what the first call has done, which is made so that there is a kept program. */
  readonly undo?: () => void
  /** True for a command that no program is kept for. */
  readonly isDirect?: boolean
}

/** Calls a command of the tool; with a kept program, once more before that. */
export function callBy(
  way: Way,
  place: ContainerPlace,
  args: readonly string[],
  { before = [], redirections = '</dev/null', env = {}, undo, isDirect = false }: CallOptions = {},
): Finished {
  const { words, path, keeps } = ways[way]
  if (keeps && !isDirect) {
    callBy('the front, which compiles first', place, args)
    undo?.()
  }
  if (!keeps) forget(place)
  const [out, err] = ['by-out', 'by-err'].map((name) => join(place.directory, name)) as [string, string]
  const { status, signal } = spawnSync(
    '/bin/sh',
    [
      '-c',
      `exec >"$OUT" 2>"$ERR"; exec "$@" ${redirections}`,
      'sh',
      ...before,
      ...words,
      '--root',
      place.root,
      ...args,
    ],
    {
      cwd: place.directory,
      env: { ...variablesFor(path), OUT: out, ERR: err, ...env },
      timeout: 20_000,
      killSignal: 'SIGKILL',
    },
  )
  return { end: signal ?? status, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') }
}

/** Nothing is kept any more. */
function forget(place: ContainerPlace): void {
  if (!existsSync(place.root)) return
  for (const name of readdirSync(place.root, { recursive: true, encoding: 'utf8' })) {
    if (/(^|\/)\.program-/.test(name)) rmSync(join(place.root, name))
  }
}
