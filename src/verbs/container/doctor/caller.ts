import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isSystemError, OciError } from '../../../errors.ts'
import { findHelper } from '../../../host/facts.ts'
import { absoluteRoot } from '../../../state-root.ts'
import { checkWritable } from '../../../writable.ts'
import { hasSubids } from '../unshare.ts'
import { type Caller, type Finding, findProgram, install } from './finding.ts'

/** Ids beside the caller's own, and the programs that map them. */
export function subordinateIDs({ euid, name: user }: Caller): Finding {
  const name = 'subordinate ids'
  if (euid === 0) return { name, status: 'works', says: 'root needs none' }
  const helpers = (['newuidmap', 'newgidmap'] as const).map((helper) => findHelper(helper))
  if (helpers.includes(undefined)) {
    const says = 'newuidmap and newgidmap are not installed: files of images are all yours'
    return { name, status: 'missing', says, fix: install('uidmap') }
  }
  if (!hasSubids()) {
    const fix = `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`
    return { name, status: 'missing', says: 'you have none in /etc/subuid and /etc/subgid', fix }
  }
  const [weak] = helpers.filter((path) => path !== undefined && !mayMap(path))
  if (weak === undefined) return { name, status: 'works', says: 'mapped by newuidmap and newgidmap' }
  return { name, status: 'missing', says: `${weak} has lost its rights`, fix: `sudo chmod u+s ${weak}` }
}

/** By its set-user-ID bit or by capabilities of the file, which getcap(8) shows. */
function mayMap(path: string): boolean {
  const { mode, uid } = lstatSync(path)
  if (uid === 0 && (mode & 0o4000) !== 0) return true
  const getcap = findProgram('getcap', { env: {} })
  return getcap === undefined || execFileSync(getcap, [path], { encoding: 'utf8' }).includes('cap_set')
}

export function runtimeDirectory({ root }: Caller): Finding {
  const name = 'runtime directory'
  try {
    const path = absoluteRoot(root)
    checkWritable(path, { code: 'ERR_FILE_SYSTEM', what: `cannot write ${path}`, hint: '', isMade: true })
    return { name, status: 'works', says: path }
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    return { name, status: 'failed', says: error.message, fix: 'export XDG_RUNTIME_DIR=/run/user/$(id -u)' }
  }
}

/** Copies that share their data: what makes the next bundle of an image small and fast. */
export function reflinks({ store }: Caller): Finding {
  const name = 'reflinks'
  const place = nearest(store)
  try {
    const directory = mkdtempSync(join(place, '.bundle-tool-doctor-'))
    try {
      writeFileSync(join(directory, 'a'), 'x'.repeat(4096))
      execFileSync('/bin/cp', ['--reflink=always', join(directory, 'a'), join(directory, 'b')], { stdio: 'pipe' })
      return { name, status: 'works', says: `in ${place}` }
    } finally {
      rmSync(directory, { recursive: true })
    }
  } catch (error) {
    if (isSystemError(error)) return { name, status: 'missing', says: `${place} cannot be written to: ${error.code}` }
    if (!(error instanceof Error)) throw error
    return { name, status: 'missing', says: `not in ${place}: bundles are whole copies (XFS, btrfs have them)` }
  }
}

const nearest = (path: string): string =>
  existsSync(path) && statSync(path).isDirectory() ? path : nearest(dirname(path))
