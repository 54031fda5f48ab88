import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isSystemError, leadsNowhere, OciError } from '../../errors.ts'
import { makeDirectories } from '../../make-directories.ts'

/** A configuration file may be a link, as to a file under version control: what it leads to is the file. */
const target = (path: string): string => (existsSync(path) ? realpathSync(path) : path)

/** The text of a configuration file; '' where there is none. @throws OciError `ERR_PERMISSION`, `ERR_ENGINE_CONFIG` */
export function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (leadsNowhere(error)) return ''
    throw refused(path, error)
  }
}

/** Files by their paths; a name `*.conf` stands for all such files of a directory, in order. */
export const filesOf = (paths: readonly string[]): readonly string[] =>
  paths.flatMap((path) => (basename(path).startsWith('*.') ? matching(path) : [path]))

/** The texts of the files that are there. */
export const readConfigFiles = (paths: readonly string[], but: string): readonly string[] =>
  filesOf(paths)
    .filter((path) => path !== but)
    .map(readConfigFile)

function matching(pattern: string): readonly string[] {
  const [directory, end] = [dirname(pattern), basename(pattern).slice(1)]
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(end))
    return names.sort().map((name) => join(directory, name))
  } catch (error) {
    if (leadsNowhere(error)) return []
    throw refused(directory, error)
  }
}

/** Replaces a file, or makes it with its directory: whole, or not at all. Owner and mode of an earlier one stay. */
export function replaceConfigFile(path: string, text: string): void {
  const file = target(path)
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}`)
  try {
    makeDirectories(dirname(file), 0o755)
    const earlier = lstatSync(file, { throwIfNoEntry: false })
    writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' })
    if (earlier !== undefined) chownSync(temporary, earlier.uid, earlier.gid)
    chmodSync(temporary, earlier === undefined ? 0o644 : earlier.mode & 0o777)
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw refused(file, error)
  }
}

export function removeConfigFile(path: string): void {
  try {
    rmSync(target(path), { force: true })
  } catch (error) {
    throw refused(path, error)
  }
}

function refused(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error
  const code = error.code === 'EACCES' || error.code === 'EPERM' ? 'ERR_PERMISSION' : 'ERR_FILE_SYSTEM'
  return new OciError(code, `"${path}": ${error.code}`, {
    hint: code === 'ERR_PERMISSION' ? 'run as root, or name another file with --file' : undefined,
    cause: error,
  })
}
