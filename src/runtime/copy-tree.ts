import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { OciError } from '../errors.ts'
import { argv0, structs } from '../program/contract.ts'
import { layOut } from '../program/structs.ts'
import { systemError } from './command-error.ts'
import { findRunner } from './runner.ts'

const { size, at } = layOut(structs.tree_report)

/**
 * Makes the directory `to`, which is not there, a copy of `from`: every kind of file with its owner, mode, times, extended
 * attributes and further names, blocks shared where the file system can. The runner does it with all processors.
 *
 * @throws OciError `ERR_RUNNER_MISSING`, `ERR_FILE_SYSTEM`; a part of the copy may then be there
 */
export async function copyTree(from: string, to: string): Promise<void> {
  const words = [from, to, String(process.pid)]
  const child = spawn(findRunner(), words, { argv0: argv0.copy, stdio: ['ignore', 'pipe', 'inherit'] })
  const [report, [code, signal]] = await Promise.all([buffer(child.stdout), once(child, 'exit')])
  if (report.length < size) {
    throw new OciError('ERR_RUNNER_MISSING', `the runner ended with ${code ?? signal} while it copied ${from}`)
  }
  if (code === 0) return
  const cause = systemError(report.readInt32LE(at.error), report.readInt32LE(at.syscall))
  throw new OciError('ERR_FILE_SYSTEM', `${from} cannot be copied to ${to}: ${cause.message}`, {
    hint: 'see whether the disk is full',
    cause,
  })
}
