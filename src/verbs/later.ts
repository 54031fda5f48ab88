/**
 * The verbs, each but `run` and `create` loaded when it is called: a program that runs containers has no more in memory than that takes, which makes
 * every spawn of it faster. Options that a verb does not have are refused.
 */

import { checkOptions } from './check-options.ts'
import { type CreateOptions, create as createContainer } from './container/create.ts'
import type { ExecOptions } from './container/exec.ts'
import type { Features, FeaturesOptions } from './container/features.ts'
import type { RestoreOptions } from './container/restore.ts'
import { type RunOptions, run as runContainer } from './container/run.ts'
import type { TryImageOptions } from './container/try-image.ts'
import type { Resources } from './container/update.ts'
import type { VerbWithOptions } from './options.ts'

/** The function that loads a verb and calls it. */
function later<Args extends unknown[], Result>(
  verb: VerbWithOptions,
  load: () => Promise<(...args: Args) => Result | Promise<Result>>,
): (...args: Args) => Promise<Result> {
  return async (...args) => {
    checkOptions(verb, args)
    return await (await load())(...args)
  }
}

/** The same of a verb that gives one thing after the other. */
function laterEach<Args extends unknown[], Item>(
  verb: VerbWithOptions,
  load: () => Promise<(...args: Args) => AsyncGenerator<Item>>,
): (...args: Args) => AsyncGenerator<Item> {
  return async function* (...args) {
    checkOptions(verb, args)
    yield* (await load())(...args)
  }
}

/** A program that ends has no use for what it was waiting for. */
const endsWithCaller = true

export const checkpoint: typeof import('./container/checkpoint.ts').checkpoint = later(
  'checkpoint',
  async () => (await import('./container/checkpoint.ts')).checkpoint,
)

export const config: typeof import('./container/config.ts').config = later(
  'config',
  async () => (await import('./container/config.ts')).config,
)

export const showConfig: typeof import('./container/config.ts').showConfig = later(
  'showConfig',
  async () => (await import('./container/config.ts')).showConfig,
)

export const containerStats: typeof import('./container/events.ts').containerStats = later(
  'containerStats',
  async () => (await import('./container/events.ts')).containerStats,
)

export const copy: typeof import('./image/copy.ts').copy = later(
  'copy',
  async () => (await import('./image/copy.ts')).copy,
)

export const diff: typeof import('./image/diff.ts').diff = later(
  'diff',
  async () => (await import('./image/diff.ts')).diff,
)

export const doctor: typeof import('./container/doctor.ts').doctor = later(
  'doctor',
  async () => (await import('./container/doctor.ts')).doctor,
)

export const engine: typeof import('./container/engine.ts').engine = later(
  'engine',
  async () => (await import('./container/engine.ts')).engine,
)

export const deleteImage: typeof import('./image/delete-image.ts').deleteImage = later(
  'deleteImage',
  async () => (await import('./image/delete-image.ts')).deleteImage,
)

export const digest: typeof import('./image/digest.ts').digest = later(
  'digest',
  async () => (await import('./image/digest.ts')).digest,
)

export const events: typeof import('./container/events.ts').events = laterEach(
  'events',
  async () => (await import('./container/events.ts')).events,
)

export const explain: typeof import('./container/explain.ts').explain = later(
  'explain',
  async () => (await import('./container/explain.ts')).explain,
)

export const exportImage: typeof import('./image/export-image.ts').exportImage = laterEach(
  'exportImage',
  async () => (await import('./image/export-image.ts')).exportImage,
)

export const exportRootfs: typeof import('./image/export.ts').exportRootfs = laterEach(
  'exportRootfs',
  async () => (await import('./image/export.ts')).exportRootfs,
)

export const exportToFile: typeof import('./image/export.ts').exportToFile = async (...args) =>
  (await import('./image/export.ts')).exportToFile(...args)

export const images: typeof import('./image/images.ts').images = later(
  'images',
  async () => (await import('./image/images.ts')).images,
)

export const inspect: typeof import('./image/inspect.ts').inspect = later(
  'inspect',
  async () => (await import('./image/inspect.ts')).inspect,
)

export const inspectConfig: typeof import('./image/inspect.ts').inspectConfig = later(
  'inspectConfig',
  async () => (await import('./image/inspect.ts')).inspectConfig,
)

export const inspectRaw: typeof import('./image/inspect.ts').inspectRaw = later(
  'inspectRaw',
  async () => (await import('./image/inspect.ts')).inspectRaw,
)

export const kill: typeof import('./container/kill.ts').kill = later(
  'kill',
  async () => (await import('./container/kill.ts')).kill,
)

export const list: typeof import('./container/list.ts').list = later(
  'list',
  async () => (await import('./container/list.ts')).list,
)

export const listReferrers: typeof import('./image/list-referrers.ts').listReferrers = later(
  'listReferrers',
  async () => (await import('./image/list-referrers.ts')).listReferrers,
)

export const listTags: typeof import('./image/list-tags.ts').listTags = later(
  'listTags',
  async () => (await import('./image/list-tags.ts')).listTags,
)

export const login: typeof import('./image/login.ts').login = later(
  'login',
  async () => (await import('./image/login.ts')).login,
)

export const logout: typeof import('./image/logout.ts').logout = later(
  'logout',
  async () => (await import('./image/logout.ts')).logout,
)

export const pause: typeof import('./container/pause.ts').pause = later(
  'pause',
  async () => (await import('./container/pause.ts')).pause,
)

export const processTable: typeof import('./container/ps.ts').processTable = later(
  'processTable',
  async () => (await import('./container/ps.ts')).processTable,
)

export const processes: typeof import('./container/ps.ts').processes = later(
  'processes',
  async () => (await import('./container/ps.ts')).processes,
)

export const prune: typeof import('./image/prune.ts').prune = later(
  'prune',
  async () => (await import('./image/prune.ts')).prune,
)

export const pull: typeof import('./image/pull.ts').pull = later(
  'pull',
  async () => (await import('./image/pull.ts')).pull,
)

export const push: typeof import('./image/push.ts').push = later(
  'push',
  async () => (await import('./image/push.ts')).push,
)

export const remove: typeof import('./container/delete.ts').remove = later(
  'remove',
  async () => (await import('./container/delete.ts')).remove,
)

export const removeImage: typeof import('./image/rmi.ts').removeImage = later(
  'removeImage',
  async () => (await import('./image/rmi.ts')).removeImage,
)

export const repack: typeof import('./image/repack.ts').repack = later(
  'repack',
  async () => (await import('./image/repack.ts')).repack,
)

export const resume: typeof import('./container/resume.ts').resume = later(
  'resume',
  async () => (await import('./container/resume.ts')).resume,
)

export const spec: typeof import('./container/spec.ts').spec = later(
  'spec',
  async () => (await import('./container/spec.ts')).spec,
)

export const start: typeof import('./container/start.ts').start = later(
  'start',
  async () => (await import('./container/start.ts')).start,
)

export const state: typeof import('./container/state.ts').state = later(
  'state',
  async () => (await import('./container/state.ts')).state,
)

export const stats: typeof import('./container/stats.ts').stats = laterEach(
  'stats',
  async () => (await import('./container/stats.ts')).stats,
)

export const stop: typeof import('./container/stop.ts').stop = later(
  'stop',
  async () => (await import('./container/stop.ts')).stop,
)

export const tryImage: (image: string, options?: TryImageOptions) => Promise<number> = later(
  'tryImage',
  async () => (await import('./container/try-image.ts')).tryImage,
)
export const tag: typeof import('./image/tag.ts').tag = later('tag', async () => (await import('./image/tag.ts')).tag)

export const unpack: typeof import('./image/unpack.ts').unpack = later(
  'unpack',
  async () => (await import('./image/unpack.ts')).unpack,
)

export const unshare: typeof import('./container/unshare.ts').unshare = later(
  'unshare',
  async () => (await import('./container/unshare.ts')).unshare,
)

export const update: typeof import('./container/update.ts').update = later(
  'update',
  async () => (await import('./container/update.ts')).update,
)

export const verify: typeof import('./image/verify.ts').verify = later(
  'verify',
  async () => (await import('./image/verify.ts')).verify,
)

export const wait: typeof import('./container/wait.ts').wait = later(
  'wait',
  async () => (await import('./container/wait.ts')).wait,
)

export const exec: (options: ExecOptions) => Promise<number> = later('exec', async () => {
  const { exec } = await import('./container/exec.ts')
  return (options) => exec({ ...options, endsWithCaller })
})

export const restore: (options: RestoreOptions) => Promise<number> = later('restore', async () => {
  const { restore } = await import('./container/restore.ts')
  return (options) => restore({ ...options, endsWithCaller })
})

/** Creates a container: everything is set up, and its process waits for `start`. */
export async function create(options: CreateOptions): Promise<void> {
  checkOptions('create', [options])
  return await createContainer({ ...options, endsWithCaller })
}

/**
 * Creates and starts a container, and unless detached waits for its end and removes it; a program that ends meanwhile takes
 * it along.
 *
 * @returns the exit code of the container's process, 128 + the signal that ended it, or 0 when detached
 */
export async function run(options: RunOptions): Promise<number> {
  checkOptions('run', [options])
  return await runContainer({ ...options, endsWithCaller })
}

export const parseResources = async (
  ...args: Parameters<typeof import('../oci/resources.ts').parseResources>
): Promise<Resources> => (await import('../oci/resources.ts')).parseResources(...args)

export const features: (options?: FeaturesOptions) => Promise<Features> = later(
  'features',
  async () => (await import('./container/features.ts')).features,
)
