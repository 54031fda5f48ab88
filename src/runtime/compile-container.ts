import { join } from 'node:path'
import { resctrlGroups } from '../compile/cgroup/intel-rdt.ts'
import { type CgroupPlace, cgroupFile, cgroupPlaces } from '../compile/cgroup/paths.ts'
import type { SystemdManager } from '../compile/cgroup/systemd.ts'
import { compile as compileProgram } from '../compile/compile.ts'
import type { CompileOptions } from '../compile/context.ts'
import { type HostFacts, isAdministrator, isRootOfHost } from '../compile/facts.ts'
import { notifyDirectory, withNotifySocket } from '../compile/state/notify.ts'
import { Door, type Guard } from '../host/door.ts'
import { checkHost, readHostFacts } from '../host/facts.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import type { Program, Text } from '../program/program.ts'
import { absolute, absoluteRoot } from '../state-root.ts'
import { registersOf } from './call-registers.ts'
import { type InheritedFds, inheritedFds } from './inherited-fds.ts'
import { seccompFilter } from './kept/filter.ts'
import { frontRecord } from './kept/front-record.ts'
import { libcontainerState, recordedRootfs } from './libcontainer/config.ts'
import { linkTargets } from './link-targets.ts'
import { loadBundle } from './load-bundle.ts'
import { withSharedNetwork } from './shared-network.ts'

export interface NewContainerOptions extends InheritedFds {
  /** The container ID. */
  readonly id: string
  /** The bundle directory; default `.`. */
  readonly bundle?: string | undefined
  /** The file to read instead of config.json of the bundle, also for each later `exec`. */
  readonly configFile?: string | undefined
  /** The state root, with a directory for each container; default: `defaultRoot` of this process. */
  readonly root?: string | undefined
  /** Path of a file that gets the container's pid. */
  readonly pidFile?: string | undefined
  /** Path of a unix socket that gets the controlling side of the container's terminal. */
  readonly consoleSocket?: string | undefined
  /** Path of a unix socket that gets a pidfd of the container. */
  readonly pidfdSocket?: string | undefined
  /** True to leave the old root by moving the new one, for a rootfs on a ramdisk, instead of pivot_root(2). */
  readonly noPivot?: boolean | undefined
  /** True to keep the caller's session keyring. */
  readonly noNewKeyring?: boolean | undefined
  /** The host's socket that is notified when the container is ready: sd_notify(3). */
  readonly notifySocket?: string | undefined
  /** The process that the service manager started; default: this one. */
  readonly mainPid?: number | undefined
  /**
   * True to let systemd make the cgroup, as a unit; `linux.cgroupsPath` is then `slice:prefix:name`. With `auto`,
   * systemd makes it when the path has that form, or is unset and the caller can reach systemd.
   */
  readonly systemdCgroup?: boolean | 'auto' | undefined
  readonly log?: ((level: 'debug' | 'info' | 'warning', message: string) => void) | undefined
}

export interface ForegroundOptions {
  readonly noSubreaper?: boolean | undefined
  readonly keep?: boolean | undefined
}

/** Options that only this tool itself uses. */
export interface OwnCompileOptions {
  readonly noCache?: boolean | undefined
  /** True for a container in the foreground that is killed when its runner is. */
  readonly endsWithRunner?: boolean | undefined
}

/** A program, and the facts it was compiled from. */
export interface CompiledContainer {
  readonly program: Program
  /** Absolute path, as is `root`. */
  readonly bundle: string
  readonly root: string
  /**
   * Guards for every fact of the host that the program was compiled from; undefined when no guard can compare one of
   * them.
   */
  readonly guards: readonly Guard[] | undefined
}

export interface Compiler {
  readonly compile: typeof compileProgram
  readonly change?: (config: RuntimeConfig) => RuntimeConfig
}

/**
 * Compiles the program that creates a container of a bundle on this host with these options.
 *
 * @throws OciError the errors of `loadBundle` and `compile`
 */
export async function compileContainer(
  options: NewContainerOptions & ForegroundOptions & OwnCompileOptions,
  mode: CompileOptions['mode'],
  { compile, change = (config) => config }: Compiler = { compile: compileProgram },
): Promise<CompiledContainer> {
  const door = new Door()
  const facts = readHostFacts(door)
  const root = absoluteRoot(options.root)
  checkHost(facts)
  const configFile = absolute(options.configFile)
  const loaded = loadBundle(options.bundle ?? '.', {
    configFile,
    door,
    onUnknown: (pointer) => options.log?.('debug', `config.json: ignoring unknown ${pointer}`),
  })
  const { directory } = loaded
  const { config: joined, shared } = withSharedNetwork(loaded.config, { root, door, isRoot: isAdministrator(facts) })
  const config = withServiceManager(change(joined), { ...options, root })
  const resctrl = resctrlGroups(config, facts)
  const systemd = await systemdFor(config, options, facts)
  const stateFacts = {
    bundle: directory,
    cgroupPaths: cgroupPaths(cgroupPlaces(config, facts.cgroups, systemd)),
    rootlessCgroups: !isRootOfHost(facts),
    systemdCgroup: systemd !== undefined,
    hasNotifySocket: options.notifySocket !== undefined,
    resctrl,
  }
  const stateText = libcontainerState(config, {
    ...stateFacts,
    configFile,
    rootless: facts.euid !== 0,
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
  })
  const filter = await seccompFilter(config.linux?.seccomp, facts.arch, options.noCache ? undefined : root)
  const program = compile(
    config,
    {
      bundle: directory,
      root,
      rootfsMode: loaded.rootfsMode,
      mode,
      stateText,
      frontRecord: frontRecord(config, { ...stateFacts, rootfs: recordedRootfs(config, directory) }),
      systemd,
      shared,
      filter,
      linkTargets: linkTargets(config, directory, door),
      ...registersOf(options),
      pidfdSocket: absolute(options.pidfdSocket),
      preserveFds: inheritedFds(options),
      notify: options.notifySocket
        ? { host: options.notifySocket, mainPid: options.mainPid ?? process.pid }
        : undefined,
      noPivot: options.noPivot,
      noNewKeyring: options.noNewKeyring,
      noSubreaper: options.noSubreaper,
      keep: options.keep,
      endsWithRunner: options.endsWithRunner,
      warn: (message) => options.log?.('warning', message),
      note: (message) => options.log?.('info', message),
      debug: (message) => options.log?.('debug', message),
    },
    facts,
  )
  return { program, bundle: directory, root, guards: door.guards() }
}

/**
 * The config with the variables that tell the process of the service manager: the passed sockets, and the socket for
 * sd_notify(3).
 */
function withServiceManager(
  config: RuntimeConfig,
  options: NewContainerOptions & { readonly root: string },
): RuntimeConfig {
  const { listenFds, notifySocket, root, id } = options
  const withSocket = notifySocket ? withNotifySocket(config, join(root, id, notifyDirectory)) : config
  const { process } = withSocket
  if (!process || !listenFds) return withSocket
  return {
    ...withSocket,
    process: { ...process, env: [...(process.env ?? []), `LISTEN_FDS=${listenFds}`, 'LISTEN_PID=1'] },
  }
}

/** The service manager that makes the cgroup; undefined when the runtime makes it. */
async function systemdFor(
  config: RuntimeConfig,
  { systemdCgroup = false }: NewContainerOptions,
  facts: HostFacts,
): Promise<SystemdManager | undefined> {
  if (!systemdCgroup) return undefined
  const { findManager, isSystemdWanted } = await import('./systemd-manager.ts')
  return isSystemdWanted(systemdCgroup, config.linux?.cgroupsPath, facts) ? await findManager(facts) : undefined
}

/** The cgroup's directories by controller, as in runc's state.json; the unified hierarchy is under the empty name. */
function cgroupPaths(places: readonly CgroupPlace[]): Record<string, readonly Exclude<Text[number], number>[]> {
  return Object.fromEntries(
    places.flatMap((place) => {
      const file = cgroupFile(place)
      const pieces = typeof file === 'string' ? [file] : [...file]
      const names = place.hierarchy.isUnified ? [''] : place.hierarchy.controllers
      return names.map((name) => [name, pieces])
    }),
  )
}
