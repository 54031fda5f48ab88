import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFlags } from '../program/flags.ts'
import { op, type Program, undoable } from '../program/program.ts'
import { runProgram } from './runner.ts'

/** The number of paths per program. */
const batchSize = 4096

/**
 * The extended attributes of each path beneath `rootfs`, through no symbolic link. Names and values are bytes, one
 * character (U+0000 to U+00FF) each.
 *
 * @throws OciError `ERR_SYSCALL`
 */
export async function readXattrs(
  rootfs: string,
  paths: readonly Uint8Array[],
): Promise<readonly ReadonlyMap<string, string>[]> {
  const lists: ReadonlyMap<string, string>[] = []
  const directory = mkdtempSync(join(tmpdir(), 'bundle-tool-xattrs-'))
  try {
    for (let at = 0; at < paths.length; at += batchSize) {
      const output = join(directory, String(at))
      await runProgram(listProgram(rootfs, paths.slice(at, at + batchSize), output), { id: 'xattrs' })
      lists.push(...parseLists(readFileSync(output)))
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
  return lists
}

function listProgram(rootfs: string, paths: readonly Uint8Array[], output: string): Program {
  const rootFlags = openFlags.PATH | openFlags.DIRECTORY
  const outputFlags = openFlags.WRONLY | openFlags.CREAT | openFlags.EXCL | openFlags.NOFOLLOW
  const host = [
    undoable(op('open', { to: 'rootfs', at: null, path: rootfs, flags: rootFlags })),
    undoable(op('open', { to: 'output', at: null, path: output, flags: outputFlags })),
    ...paths.map((path) => undoable(op('list_xattrs', { at: 'rootfs', path, to: 'output' }))),
  ]
  return { host, stage: [], child: [] }
}

/** Parses the output of `list_xattrs`: two lengths, a name and a value for each attribute, two zeros after the last. */
function parseLists(bytes: Buffer): ReadonlyMap<string, string>[] {
  const lists: ReadonlyMap<string, string>[] = []
  let list = new Map<string, string>()
  for (let at = 0; at < bytes.length; ) {
    const nameEnd = at + 8 + bytes.readUInt32LE(at)
    const end = nameEnd + bytes.readUInt32LE(at + 4)
    if (nameEnd === at + 8) {
      lists.push(list)
      list = new Map()
    } else list.set(bytes.toString('latin1', at + 8, nameEnd), bytes.toString('latin1', nameEnd, end))
    at = end
  }
  return lists
}
