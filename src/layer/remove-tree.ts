import { chmodSync, constants, lstatSync, readdirSync, rmSync } from 'node:fs'
import { isSystemError } from '../errors.ts'

/**
 * Removes a file or directory with everything beneath it, directories that their owner cannot write to included: images
 * have such (CentOS's /root is 0550), and only root may ignore their mode. Nothing there is no error.
 */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch (error) {
    if (!isSystemError(error, 'EACCES')) throw error
    makeWritable(Buffer.from(path))
    rmSync(path, { recursive: true, force: true })
  }
}

function makeWritable(path: Buffer): void {
  const { mode } = lstatSync(path)
  if ((mode & constants.S_IFMT) !== constants.S_IFDIR) return
  if ((mode & 0o700) !== 0o700) chmodSync(path, 0o700)
  for (const entry of readdirSync(path, { withFileTypes: true, encoding: 'buffer' })) {
    if (entry.isDirectory()) makeWritable(Buffer.concat([path, Buffer.from('/'), entry.name]))
  }
}
