/**
 * The verbs, each but `run` and `create` loaded when it is called: a program that runs containers has no more in memory than that takes, which makes
 * every spawn of it faster. Options that a verb does not have are refused.
 */

import { type CreateOptions, create as createContainer } from './create.ts'
import type { ExecOptions } from './exec.ts'
import type { Features, FeaturesOptions } from './features.ts'
import { checkOptions, type VerbWithOptions } from './options.ts'
import type { RestoreOptions } from './restore.ts'
import { type RunOptions, run as runContainer } from './run.ts'
import type { Resources } from './update.ts'

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

export const checkpoint: typeof import('./checkpoint.ts').checkpoint = later(
  'checkpoint',
  async () => (await import('./checkpoint.ts')).checkpoint,
)

export const containerStats: typeof import('./events.ts').containerStats = later(
  'containerStats',
  async () => (await import('./events.ts')).containerStats,
)

export const copy: typeof import('./copy.ts').copy = later('copy', async () => (await import('./copy.ts')).copy)

export const events: typeof import('./events.ts').events = laterEach(
  'events',
  async () => (await import('./events.ts')).events,
)

export const explain: typeof import('./explain.ts').explain = later(
  'explain',
  async () => (await import('./explain.ts')).explain,
)

export const exportImage: typeof import('./export-image.ts').exportImage = laterEach(
  'exportImage',
  async () => (await import('./export-image.ts')).exportImage,
)

export const exportRootfs: typeof import('./export.ts').exportRootfs = laterEach(
  'exportRootfs',
  async () => (await import('./export.ts')).exportRootfs,
)

export const exportToFile: typeof import('./export.ts').exportToFile = async (...args) =>
  (await import('./export.ts')).exportToFile(...args)

export const images: typeof import('./images.ts').images = later(
  'images',
  async () => (await import('./images.ts')).images,
)

export const inspect: typeof import('./inspect.ts').inspect = later(
  'inspect',
  async () => (await import('./inspect.ts')).inspect,
)

export const inspectRaw: typeof import('./inspect.ts').inspectRaw = later(
  'inspectRaw',
  async () => (await import('./inspect.ts')).inspectRaw,
)

export const kill: typeof import('./kill.ts').kill = later('kill', async () => (await import('./kill.ts')).kill)

export const list: typeof import('./list.ts').list = later('list', async () => (await import('./list.ts')).list)

export const listTags: typeof import('./list-tags.ts').listTags = later(
  'listTags',
  async () => (await import('./list-tags.ts')).listTags,
)

export const login: typeof import('./login.ts').login = later('login', async () => (await import('./login.ts')).login)

export const logout: typeof import('./logout.ts').logout = later(
  'logout',
  async () => (await import('./logout.ts')).logout,
)

export const pause: typeof import('./pause.ts').pause = later('pause', async () => (await import('./pause.ts')).pause)

export const processTable: typeof import('./ps.ts').processTable = later(
  'processTable',
  async () => (await import('./ps.ts')).processTable,
)

export const processes: typeof import('./ps.ts').processes = later(
  'processes',
  async () => (await import('./ps.ts')).processes,
)

export const prune: typeof import('./prune.ts').prune = later('prune', async () => (await import('./prune.ts')).prune)

export const pull: typeof import('./pull.ts').pull = later('pull', async () => (await import('./pull.ts')).pull)

export const push: typeof import('./push.ts').push = later('push', async () => (await import('./push.ts')).push)

export const remove: typeof import('./delete.ts').remove = later(
  'remove',
  async () => (await import('./delete.ts')).remove,
)

export const removeImage: typeof import('./rmi.ts').removeImage = later(
  'removeImage',
  async () => (await import('./rmi.ts')).removeImage,
)

export const repack: typeof import('./repack.ts').repack = later(
  'repack',
  async () => (await import('./repack.ts')).repack,
)

export const resume: typeof import('./resume.ts').resume = later(
  'resume',
  async () => (await import('./resume.ts')).resume,
)

export const spec: typeof import('./spec.ts').spec = later('spec', async () => (await import('./spec.ts')).spec)

export const start: typeof import('./start.ts').start = later('start', async () => (await import('./start.ts')).start)

export const state: typeof import('./state.ts').state = later('state', async () => (await import('./state.ts')).state)

export const stats: typeof import('./stats.ts').stats = laterEach(
  'stats',
  async () => (await import('./stats.ts')).stats,
)

export const stop: typeof import('./stop.ts').stop = later('stop', async () => (await import('./stop.ts')).stop)

export const unpack: typeof import('./unpack.ts').unpack = later(
  'unpack',
  async () => (await import('./unpack.ts')).unpack,
)

export const unshare: typeof import('./unshare.ts').unshare = later(
  'unshare',
  async () => (await import('./unshare.ts')).unshare,
)

export const update: typeof import('./update.ts').update = later(
  'update',
  async () => (await import('./update.ts')).update,
)

export const verify: typeof import('./verify.ts').verify = later(
  'verify',
  async () => (await import('./verify.ts')).verify,
)

export const wait: typeof import('./wait.ts').wait = later('wait', async () => (await import('./wait.ts')).wait)

export const exec: (options: ExecOptions) => Promise<number> = later('exec', async () => {
  const { exec } = await import('./exec.ts')
  return (options) => exec({ ...options, endsWithCaller })
})

export const restore: (options: RestoreOptions) => Promise<number> = later('restore', async () => {
  const { restore } = await import('./restore.ts')
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
  ...args: Parameters<typeof import('./oci/resources.ts').parseResources>
): Promise<Resources> => (await import('./oci/resources.ts')).parseResources(...args)

export const features: (options?: FeaturesOptions) => Promise<Features> = later(
  'features',
  async () => (await import('./features.ts')).features,
)
