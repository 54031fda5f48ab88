import { fstatSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { compileCheckpoint } from '../../compile/checkpoint.ts'
import { type DumpOptions, dumpRequest } from '../../compile/criu.ts'
import { isSystemError, OciError } from '../../errors.ts'
import { readHostFacts } from '../../host/facts.ts'
import { realPathInRootfs } from '../../layer/real-path.ts'
import { makeDirectories } from '../../make-directories.ts'
import { refuseNetworkProgram } from '../../oci/network-annotations.ts'
import { descriptorsFile, findCriu, requireFeature, runCriu } from '../../runtime/criu.ts'
import { containerToDump, externalKey, isExternal, recordedNamespaces } from '../../runtime/criu-container.ts'
import { silent } from '../../runtime/execute.ts'
import { type ContainerRecord, readContainer, readStateFields, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot } from '../../state-root.ts'
import { remove } from './delete.ts'
import type { ContainerOptions } from './state.ts'

export type { CriuOptions } from '../../compile/criu.ts'

export interface CheckpointOptions extends ContainerOptions, DumpOptions {
  /** The directory for the images, made when it is not there; default `checkpoint`. */
  readonly imagePath?: string | undefined
  /** The directory for logs; default that of the images. */
  readonly workPath?: string | undefined
  /** A descriptor of this process that gets a NUL byte when lazy pages can be fetched. */
  readonly statusFd?: number | undefined
  readonly warn?: ((message: string) => void) | undefined
}

/**
 * Writes the processes of a container to images, by CRIU. The container ends, and is deleted, unless it is to be left
 * running or its memory alone was written.
 *
 * @throws OciError `ERR_CONTAINER_STATUS` it is neither running nor paused; `ERR_CRIU` CRIU is missing, or its reason;
 *   `ERR_USAGE`
 */
export async function checkpoint(options: CheckpointOptions): Promise<void> {
  const { id, preDump, lazyPages, leaveRunning, statusFd, workPath, warn } = options
  const root = absoluteRoot(options.root)
  const container = readContainer(root, id)
  const status = await readStatus(container)
  if (status !== 'running' && status !== 'paused') {
    throw new OciError('ERR_CONTAINER_STATUS', `container cannot be checkpointed in ${status} state`)
  }
  refuseNetworkProgram(container.annotations, 'checkpoint')
  const imagePath = resolve(options.imagePath ?? 'checkpoint')
  makeImageDirectory(imagePath, options.parentPath)
  const criu = await findCriu()
  if (preDump) await requireFeature(criu, 'mem_dirty_track')
  if (lazyPages) await requireFeature(criu, 'uffd-noncoop')
  if (lazyPages && statusFd !== undefined) checkStatusFd(statusFd)
  const hasStatusFd = Boolean(lazyPages && statusFd !== undefined)
  const program = compileCheckpoint(criu.path, request(container, options, hasStatusFd))
  if (!preDump)
    writeFileSync(join(imagePath, descriptorsFile), JSON.stringify(descriptorsOf(container.init.pid)), { mode: 0o600 })
  await runCriu(program, {
    id: container.id,
    stdio: silent,
    places: { imagePath, workPath: resolve(workPath ?? imagePath) },
    more: hasStatusFd ? [Number(statusFd)] : [],
    logFile: 'dump.log',
    warn,
  })
  if (!preDump && !leaveRunning) await remove({ root, id, force: true, warn })
}

function request(container: ContainerRecord, options: DumpOptions, hasStatusFd: boolean): Uint8Array {
  const { directory, init, cgroupPaths, rootfs } = container
  const { cgroups } = readHostFacts()
  const config = readStateFields(directory).object('config')
  const realPath = (path: string): string => realPathInRootfs(rootfs, path)
  const known = containerToDump(config, init.pid, { realPath, cgroups })
  return dumpRequest(options, {
    ...known,
    externalMounts: options.preDump ? [] : known.externalMounts,
    pid: init.pid,
    freezer: cgroupPaths.freezer ?? (cgroups.mode === 'v2' ? cgroupPaths[''] : undefined),
    external: recordedNamespaces(config)
      .filter(isExternal)
      .map((namespace) => `${namespace.name}[${statSync(namespace.path).ino}]:${externalKey(namespace)}`),
    hasStatusFd,
  })
}

function makeImageDirectory(imagePath: string, parentPath: string | undefined): void {
  try {
    makeDirectories(imagePath, 0o700)
  } catch (cause) {
    if (!isSystemError(cause)) throw cause
    throw new OciError('ERR_FILE_SYSTEM', `cannot make "${imagePath}" for the images: ${cause.code}`, {
      hint: 'name a directory you may write to with --image-path',
      cause,
    })
  }
  if (parentPath === undefined) return
  const hint = 'name the images of a pre-dump, relative to --image-path'
  if (parentPath.startsWith('/')) throw new OciError('ERR_USAGE', '--parent-path must be relative', { hint })
  const parent = statSync(join(imagePath, parentPath), { throwIfNoEntry: false })
  if (parent?.isDirectory()) return
  const problem = parent === undefined ? 'does not exist' : 'is no directory'
  throw new OciError('ERR_USAGE', `invalid --parent-path: "${join(imagePath, parentPath)}" ${problem}`, { hint })
}

const writeOnly = 1

function checkStatusFd(fd: number): void {
  const hint = 'pass a descriptor that can be written to'
  try {
    fstatSync(fd)
  } catch (cause) {
    if (!isSystemError(cause, 'EBADF')) throw cause
    throw new OciError('ERR_USAGE', `invalid --status-fd argument ${fd}: it is not open`, { hint, cause })
  }
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0'
  if ((Number.parseInt(flags, 8) & writeOnly) !== 0) return
  throw new OciError('ERR_USAGE', `invalid --status-fd argument ${fd}: not writable`, { hint })
}

/** Reads what stdin, stdout and stderr lead to: `restore` replaces pipes by its own. */
function descriptorsOf(pid: number): readonly string[] {
  return [0, 1, 2].map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return ''
      throw error
    }
  })
}
