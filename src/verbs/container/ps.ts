import { readdirSync, readlinkSync } from 'node:fs'
import { isSystemError, OciError } from '../../errors.ts'
import { cgroupExists, readProcesses } from '../../runtime/cgroup/cgroup.ts'
import { isAlive, readProcessStat } from '../../runtime/proc.ts'
import { runTool, type ToolResult } from '../../runtime/run-tool.ts'
import { readContainer } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import type { ContainerOptions } from './state.ts'

/**
 * The processes of a container, as this PID namespace numbers them. A stopped one has none.
 *
 * @throws OciError `ERR_CONTAINER_NOT_FOUND`
 */
export async function processes({ root, id }: ContainerOptions): Promise<readonly number[]> {
  const { cgroupPaths, init, hasOwnPidNamespace } = readContainer(absoluteRoot(root), id)
  if (cgroupExists(cgroupPaths)) return readProcesses(cgroupPaths)
  return isAlive(init) ? processesOfInit(init.pid, hasOwnPidNamespace) : []
}

/** The processes of a container without a cgroup, as one of a user may be: by its PID namespace, or else by descent. */
function processesOfInit(init: number, hasOwnPidNamespace: boolean): readonly number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  const parents = new Map(pids.map((pid) => [pid, readProcessStat(pid)?.parent]))
  const namespace = hasOwnPidNamespace ? namespaceOf(init) : undefined
  const own = namespace === undefined ? [] : pids.filter((pid) => namespaceOf(pid) === namespace)
  const found = new Set([init, ...own])
  // A parent may have a larger number than its child, once the numbers have begun anew.
  for (let size = 0; size < found.size; ) {
    size = found.size
    for (const [pid, parent] of parents) if (parent !== undefined && found.has(parent)) found.add(pid)
  }
  return [...found].sort((a, b) => a - b)
}

/** Undefined for a process that has ended, or that the caller may not look at. */
function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch (error) {
    if (!isSystemError(error)) throw error
    return undefined
  }
}

export interface ProcessTableOptions extends ContainerOptions {
  /** Arguments for ps(1); `-ef` unless given. They must give a PID column, and should select every process. */
  readonly psArgs?: readonly string[] | undefined
}

/**
 * The lines of ps(1) for the processes of a container, after its header.
 *
 * @throws OciError `ERR_NOT_SUPPORTED` there is no ps(1); `ERR_USAGE` it refuses the arguments, or shows no PID
 */
export async function processTable({ root, id, psArgs = [] }: ProcessTableOptions): Promise<string> {
  const pids = new Set(await processes({ root, id }))
  const [header = '', ...rows] = await runPs(psArgs.length === 0 ? ['-ef'] : psArgs)
  const column = header.trim().split(/\s+/).indexOf('PID')
  if (column < 0) throw new OciError('ERR_USAGE', 'there is no PID column in the output of ps')
  const own = rows.filter((row) => pids.has(Number(row.trim().split(/\s+/)[column])))
  return [header, ...own].map((line) => `${line}\n`).join('')
}

async function runPs(args: readonly string[]): Promise<readonly string[]> {
  const { status, stdout, stderr } = await startPs(args)
  if (status !== 0) throw new OciError('ERR_USAGE', `ps ${args.join(' ')}: exit status ${status}: ${stderr.trim()}`)
  return stdout.split('\n').filter((line) => line !== '')
}

async function startPs(args: readonly string[]): Promise<ToolResult> {
  try {
    return await runTool('ps', args)
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_NOT_SUPPORTED', `ps cannot be run: ${cause.message}`, {
      cause,
      hint: 'install ps (Debian: procps), or use --format json',
    })
  }
}
