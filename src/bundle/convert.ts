import { posix } from 'node:path'
import { needsUserNamespace } from '../caller-rights.ts'
import { OciError } from '../errors.ts'
import type { ExecutionConfig, ImageConfig } from '../oci/image-config.ts'
import type { IDMappings, Mount, Process, RuntimeConfig } from '../oci/runtime-config.ts'
import { toPointer } from '../oci/schema.ts'
import { isText } from '../text.ts'
import { imageAnnotations } from './annotations.ts'
import { withEntrypoint } from './changes/process.ts'
import { defaultConfig } from './default-config.ts'
import { hostConfigOptions } from './host-options.ts'
import { checkUser } from './id-mappings.ts'
import { withImageDefaults } from './image-defaults.ts'
import { type ImageUser, lookUpUser } from './user.ts'

export interface ConvertOptions {
  /** True for a rootless container; default: what `needsUserNamespace` says. */
  readonly rootless?: boolean | undefined
  /** Mappings of a rootless container with more ids than root; by default it has only root. */
  readonly idMappings?: IDMappings | undefined
  /** True to give the program a terminal, as `runc spec` and umoci do, which is the default. */
  readonly terminal?: boolean | undefined
  /** Receives each entry of the environment that has no name and is left out, as by Docker. */
  readonly onIgnoredVariable?: ((entry: string) => void) | undefined
  /** Receives the name of each label that does not become an annotation, because a runtime would act on it. */
  readonly onReservedLabel?: ((name: string) => void) | undefined
}

/** The PATH of a program whose image sets none, the same as Docker's. */
const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Converts an image config to a runtime config: the default one of `spec` with the image's program, environment, directory,
 * user, annotations and volumes.
 *
 * Unlike in the default config, the rootfs is writable, and root has the rights that engines give, as programs of images
 * expect. An image without a program runs `sh`.
 * Each volume becomes an empty tmpfs, as in umoci: files in it do not reach the rootfs and do not outlive the container.
 * @param rootfs the directory into which the image is unpacked, in which users are looked up
 * @throws OciError `ERR_USER_UNKNOWN`; `ERR_NOT_SUPPORTED` `idMappings` lack an id of the user; `ERR_MANIFEST_INVALID` a volume
 *   would hide the rootfs, /proc, /sys or /dev, or text cannot be passed to a program
 * @see image-spec v1.1.1 conversion.md
 */
export async function convertImageConfig(
  image: ImageConfig,
  rootfs: string,
  options: ConvertOptions = {},
): Promise<RuntimeConfig> {
  checkImageConfig(image)
  const { idMappings, terminal = true, onReservedLabel = () => {}, onIgnoredVariable = () => {} } = options
  const { rootless = needsUserNamespace() } = options
  const base = withImageDefaults(defaultConfig(await hostConfigOptions(rootless, idMappings)))
  const { config = {} } = image
  const user = lookUpUser(rootfs, config.User)
  if (idMappings !== undefined) checkUser(user, idMappings)
  const converted: RuntimeConfig = {
    ...base,
    process: convertProcess(base.process, config, {
      user,
      hasGroups: !rootless || idMappings !== undefined,
      terminal,
      onIgnoredVariable,
    }),
    mounts: [...(base.mounts ?? []), ...volumeMounts(config)],
    annotations: imageAnnotations(image, onReservedLabel),
  }
  return withEntrypoint(converted, config.Entrypoint ?? [])
}

/**
 * Checks that all text of an image config can be written to config.json and passed to the kernel: it must not have a NUL
 * character, at which a string for the kernel ends, or a lone surrogate.
 *
 * @throws OciError `ERR_MANIFEST_INVALID` with every problem
 */
export function checkImageConfig({ rootfs: _, history: __, ...image }: ImageConfig): void {
  const problems = [...textsOf(image, [])].flatMap(({ path, text }) => {
    const problem = text.includes('\0') ? 'must not contain a NUL character' : isText(text) ? undefined : 'must be text'
    return problem === undefined ? [] : [{ pointer: toPointer(path), text: `${problem}, not ${JSON.stringify(text)}` }]
  })
  const [first] = problems
  if (first === undefined) return
  const list = problems.map(({ pointer, text }) => `${pointer}: ${text}`).join('; ')
  throw new OciError('ERR_MANIFEST_INVALID', `the image config is invalid: ${list}`, { pointer: first.pointer })
}

/** Yields every string in a value, also names of members, with its path. */
function* textsOf(
  value: unknown,
  path: readonly string[],
): Generator<{ readonly path: readonly string[]; readonly text: string }> {
  if (typeof value === 'string') yield { path, text: value }
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    const place = [...path, name]
    yield { path: place, text: name }
    yield* textsOf(member, place)
  }
}

interface ProcessFacts {
  readonly user: ImageUser
  /** True when the container may have supplementary groups. */
  readonly hasGroups: boolean
  readonly terminal: boolean
  readonly onIgnoredVariable: (entry: string) => void
}

function convertProcess(base: Process, config: ExecutionConfig, facts: ProcessFacts): Process {
  const { user, hasGroups, terminal, onIgnoredVariable } = facts
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]
  // Without newgidmap(1) an unprivileged user may map only one group, and the kernel then requires setgroups(2) to be denied.
  const additionalGids = hasGroups ? user.additionalGids : []
  return {
    ...base,
    terminal,
    user: { uid: user.uid, gid: user.gid, ...(additionalGids.length > 0 && { additionalGids }) },
    args: args.length > 0 ? args : base.args,
    env: convertEnv(variablesOf(config, onIgnoredVariable), user, terminal),
    cwd: absolute(config.WorkingDir ?? ''),
  }
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

function variablesOf({ Env: env = [] }: ExecutionConfig, onIgnored: (entry: string) => void): readonly string[] {
  const isVariable = (entry: string): boolean => entry.indexOf('=') > 0
  env.filter((entry) => !isVariable(entry)).forEach(onIgnored)
  return env.filter(isVariable)
}

/** Adds PATH, HOME and TERM to the image's entries, each only if the image does not set it. */
function convertEnv(env: readonly string[], user: ImageUser, terminal: boolean): string[] {
  const names = new Set(env.map((entry) => entry.split('=', 1)[0]))
  return [
    ...env,
    ...(names.has('PATH') ? [] : [defaultPath]),
    ...(names.has('HOME') || user.home === undefined ? [] : [`HOME=${user.home}`]),
    ...(names.has('TERM') || !terminal ? [] : ['TERM=xterm']),
  ]
}

function volumeMounts({ Volumes: volumes = {} }: ExecutionConfig): Mount[] {
  const paths = new Set(Object.keys(volumes).map((path) => volumePath(path)))
  return [...paths].sort().map((destination) => ({
    destination,
    type: 'tmpfs',
    source: 'none',
    options: ['rw', 'nosuid', 'nodev', 'noexec', 'relatime'],
  }))
}

/** Paths that no volume may cover, since that would hide what confines the container (CVE-2019-16884). */
const notForVolumes = /^\/(?:$|(?:proc|sys|dev)(?:\/|$))/

function volumePath(text: string): string {
  const path = posix.join('/', text).replace(/(?<=.)\/$/, '')
  if (!notForVolumes.test(path)) return path
  throw new OciError('ERR_MANIFEST_INVALID', `image volume "${text}" would hide ${path} of the container`, {
    pointer: toPointer(['config', 'Volumes', text]),
  })
}
