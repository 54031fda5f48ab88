import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type CgroupPlace, cgroupFile, cgroupPlaces } from '../../compile/cgroup/paths.ts'
import type { CompileOptions } from '../../compile/context.ts'
import { type CriuRestoreOptions, criuFds, restoreRequest } from '../../compile/criu.ts'
import type { HostFacts } from '../../compile/facts.ts'
import { compileRestore, criuRootName } from '../../compile/restore.ts'
import { leadsNowhere, OciError } from '../../errors.ts'
import { realPathInRootfs } from '../../layer/real-path.ts'
import { checkJsonLimits } from '../../oci/json-limits.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import { stateFile } from '../../program/contract.ts'
import type { Text } from '../../program/program.ts'
import { compileContainer, type ForegroundOptions, type NewContainerOptions } from '../../runtime/compile-container.ts'
import { parseContainerID } from '../../runtime/container-id.ts'
import { type Criu, descriptorsFile, findCriu, runCriu } from '../../runtime/criu.ts'
import { containerToRestore, externalKey, isExternal, recordedNamespaces } from '../../runtime/criu-container.ts'
import type { OwnOptions } from '../../runtime/launch.ts'
import { Fields } from '../../runtime/state-file.ts'
import { makeRoot } from '../../state-root.ts'

export interface RestoreOptions
  extends NewContainerOptions,
    Pick<ForegroundOptions, 'noSubreaper'>,
    CriuRestoreOptions {
  /** The directory with the images; default `checkpoint`. */
  readonly imagePath?: string | undefined
  /** The directory for logs; default that of the images. */
  readonly workPath?: string | undefined
  /** Pass the signals that this process gets on to the container. Default false. */
  readonly forwardSignals?: boolean | undefined
  /** Return when the container is running. */
  readonly detach?: boolean | undefined
}

/**
 * Makes a container of a bundle with the processes that a checkpoint has saved, by CRIU, and unless detached waits for
 * its end and removes it.
 *
 * @returns as `run`
 * @throws OciError `ERR_CRIU` CRIU is missing, or its reason; `ERR_USAGE` there are no images; and as `create`
 */
export async function restore(options: RestoreOptions & Pick<OwnOptions, 'endsWithCaller'>): Promise<number> {
  const id = parseContainerID(options.id)
  const imagePath = resolve(options.imagePath ?? 'checkpoint')
  const workPath = resolve(options.workPath ?? imagePath)
  const saved = readDescriptors(imagePath)
  const criu = await findCriu()
  checkLsmOptions(options, criu)
  const opened: number[] = []
  const compile = (config: RuntimeConfig, compileOptions: CompileOptions, facts: HostFacts) => {
    const message = request({ ...options, id }, { config, compileOptions, facts, saved, opened })
    return compileRestore(config, compileOptions, facts, { path: criu.path, message, imagePath, workPath })
  }
  try {
    const { program, bundle, root } = await compileContainer(options, options.detach ? 'detached' : 'foreground', {
      compile,
      change: (config) => withTimeNamespace(config, criu),
    })
    makeRoot(root, process.geteuid?.() ?? 0)
    const outcome = await runCriu(program, {
      id,
      paths: options,
      cwd: bundle,
      places: { imagePath, workPath },
      more: opened,
      logFile: 'restore.log',
      forwardSignals: options.forwardSignals ?? false,
      endsWithCaller: options.endsWithCaller,
      onLeftover: (message) => options.log?.('warning', message),
      warn: (message) => options.log?.('warning', message),
    })
    return outcome.kind === 'exited' ? outcome.status : 0
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

interface RestoreSituation {
  readonly config: RuntimeConfig
  readonly compileOptions: CompileOptions
  readonly facts: HostFacts
  /** The container's stdin, stdout and stderr at the checkpoint. */
  readonly saved: readonly string[]
  /** Gets the descriptors of namespaces, which CRIU inherits. */
  readonly opened: number[]
}

function request(options: RestoreOptions, situation: RestoreSituation): Uint8Array {
  const { config, compileOptions, facts, saved, opened } = situation
  const fill = (text: Text): string => filled(text, options.id)
  const recorded = new Fields(JSON.parse(fill(compileOptions.stateText)), stateFile).object('config')
  const places = cgroupPlaces(config, facts.cgroups, compileOptions.systemd)
  const namespaces = recordedNamespaces(recorded).filter(({ path }) => path !== '')
  if (namespaces.some(({ name }) => name === 'cgroup')) {
    throw new OciError(
      'ERR_CONFIG_UNSUPPORTED',
      'CRIU cannot restore a container into a cgroup namespace that is there',
    )
  }
  const external = namespaces.filter(isExternal).map((namespace) => {
    opened.push(openSync(namespace.path, 'r'))
    return { key: externalKey(namespace), fd: criuFds.work + opened.length }
  })
  const pipes = saved.flatMap((key, fd) => (key.startsWith('pipe:') ? [{ key, fd }] : []))
  const known = containerToRestore(recorded, `${compileOptions.root}/${options.id}/${criuRootName}`, {
    realPath: (path) => realPathInRootfs(recorded.string('rootfs'), path),
    cgroups: facts.cgroups,
    cgroupDirectories: new Map(places.map((place) => [place.hierarchy.mountPoint, fill(cgroupFile(place))])),
  })
  return restoreRequest(options, {
    ...known,
    joined: namespaces.filter((namespace) => !isExternal(namespace)).map(({ name, path }) => ({ type: name, path })),
    inherited: [...external, ...pipes],
    cgroupRoots: places.flatMap((place) => cgroupRoots(place, fill(place.path))),
  })
}

function cgroupRoots({ hierarchy }: CgroupPlace, path: string): readonly { controller: string; path: string }[] {
  const controllers = hierarchy.isUnified ? [''] : hierarchy.controllers
  return controllers.map((controller) => ({ controller, path }))
}

/** A text whose registers other than the ID do not matter. */
function filled(text: Text, id: string): string {
  if (typeof text === 'string') return text
  return text.map((piece) => (typeof piece === 'string' ? piece : piece.register === 'id' ? id : '0')).join('')
}

/** CRIU restores into a time namespace where it can, so that clocks do not jump. */
function withTimeNamespace(config: RuntimeConfig, { version }: Criu): RuntimeConfig {
  const namespaces = config.linux?.namespaces ?? []
  const isMade = version >= 31400 && existsSync('/proc/self/ns/time')
  if (!isMade || namespaces.some(({ type }) => type === 'time')) return config
  return { ...config, linux: { ...config.linux, namespaces: [...namespaces, { type: 'time' }] } }
}

function checkLsmOptions({ lsmProfile, lsmMountContext }: RestoreOptions, { version }: Criu): void {
  const option = lsmProfile ? '--lsm-profile' : lsmMountContext ? '--lsm-mount-context' : undefined
  if (option === undefined || version >= 31600) return
  throw new OciError('ERR_CRIU', `${option} requires at least CRIU 3.16`, { hint: 'use a newer CRIU' })
}

function readDescriptors(imagePath: string): readonly string[] {
  const file = join(imagePath, descriptorsFile)
  try {
    const text = readFileSync(file, 'utf8')
    checkJsonLimits(text)
    const saved: unknown = JSON.parse(text)
    return Array.isArray(saved) ? saved.map(String) : []
  } catch (cause) {
    if (!leadsNowhere(cause) && !(cause instanceof SyntaxError)) throw cause
    const problem = cause instanceof SyntaxError ? 'is no JSON' : 'does not exist'
    throw new OciError('ERR_USAGE', `"${file}" ${problem}`, {
      cause,
      hint: 'name a directory that "checkpoint" has written with --image-path',
    })
  }
}
