/**
 * The verbs but `run` and `create`, each loaded when it is called: a program that runs containers has no more in memory than
 * that takes, which makes every spawn of it faster.
 */

import type { Features } from './features.ts'
import type { Resources } from './update.ts'

export const checkpoint: typeof import('./checkpoint.ts').checkpoint = async (...args) =>
  (await import('./checkpoint.ts')).checkpoint(...args)

export const copy: typeof import('./copy.ts').copy = async (...args) => (await import('./copy.ts')).copy(...args)

export const remove: typeof import('./delete.ts').remove = async (...args) =>
  (await import('./delete.ts')).remove(...args)

export const containerStats: typeof import('./events.ts').containerStats = async (...args) =>
  (await import('./events.ts')).containerStats(...args)

export const exec: typeof import('./exec.ts').exec = async (...args) => (await import('./exec.ts')).exec(...args)

export const explain: typeof import('./explain.ts').explain = async (...args) =>
  (await import('./explain.ts')).explain(...args)

export const exportToFile: typeof import('./export.ts').exportToFile = async (...args) =>
  (await import('./export.ts')).exportToFile(...args)

export const images: typeof import('./images.ts').images = async (...args) =>
  (await import('./images.ts')).images(...args)

export const inspect: typeof import('./inspect.ts').inspect = async (...args) =>
  (await import('./inspect.ts')).inspect(...args)

export const inspectRaw: typeof import('./inspect.ts').inspectRaw = async (...args) =>
  (await import('./inspect.ts')).inspectRaw(...args)

export const kill: typeof import('./kill.ts').kill = async (...args) => (await import('./kill.ts')).kill(...args)

export const list: typeof import('./list.ts').list = async (...args) => (await import('./list.ts')).list(...args)

export const listTags: typeof import('./list-tags.ts').listTags = async (...args) =>
  (await import('./list-tags.ts')).listTags(...args)

export const login: typeof import('./login.ts').login = async (...args) => (await import('./login.ts')).login(...args)

export const logout: typeof import('./logout.ts').logout = async (...args) =>
  (await import('./logout.ts')).logout(...args)

export const pause: typeof import('./pause.ts').pause = async (...args) => (await import('./pause.ts')).pause(...args)

export const prune: typeof import('./prune.ts').prune = async (...args) => (await import('./prune.ts')).prune(...args)

export const processes: typeof import('./ps.ts').processes = async (...args) =>
  (await import('./ps.ts')).processes(...args)

export const processTable: typeof import('./ps.ts').processTable = async (...args) =>
  (await import('./ps.ts')).processTable(...args)

export const pull: typeof import('./pull.ts').pull = async (...args) => (await import('./pull.ts')).pull(...args)

export const push: typeof import('./push.ts').push = async (...args) => (await import('./push.ts')).push(...args)

export const repack: typeof import('./repack.ts').repack = async (...args) =>
  (await import('./repack.ts')).repack(...args)

export const restore: typeof import('./restore.ts').restore = async (...args) =>
  (await import('./restore.ts')).restore(...args)

export const resume: typeof import('./resume.ts').resume = async (...args) =>
  (await import('./resume.ts')).resume(...args)

export const removeImage: typeof import('./rmi.ts').removeImage = async (...args) =>
  (await import('./rmi.ts')).removeImage(...args)

export const spec: typeof import('./spec.ts').spec = async (...args) => (await import('./spec.ts')).spec(...args)

export const start: typeof import('./start.ts').start = async (...args) => (await import('./start.ts')).start(...args)

export const state: typeof import('./state.ts').state = async (...args) => (await import('./state.ts')).state(...args)

export const unpack: typeof import('./unpack.ts').unpack = async (...args) =>
  (await import('./unpack.ts')).unpack(...args)

export const unshare: typeof import('./unshare.ts').unshare = async (...args) =>
  (await import('./unshare.ts')).unshare(...args)

export const update: typeof import('./update.ts').update = async (...args) =>
  (await import('./update.ts')).update(...args)

export const verify: typeof import('./verify.ts').verify = async (...args) =>
  (await import('./verify.ts')).verify(...args)

export const events: typeof import('./events.ts').events = async function* (...args) {
  yield* (await import('./events.ts')).events(...args)
}

export const exportRootfs: typeof import('./export.ts').exportRootfs = async function* (...args) {
  yield* (await import('./export.ts')).exportRootfs(...args)
}

export const exportImage: typeof import('./export-image.ts').exportImage = async function* (...args) {
  yield* (await import('./export-image.ts')).exportImage(...args)
}

export const stats: typeof import('./stats.ts').stats = async function* (...args) {
  yield* (await import('./stats.ts')).stats(...args)
}

export const parseResources = async (
  ...args: Parameters<typeof import('./oci/resources.ts').parseResources>
): Promise<Resources> => (await import('./oci/resources.ts')).parseResources(...args)

export const features = async (...args: Parameters<typeof import('./features.ts').features>): Promise<Features> =>
  (await import('./features.ts')).features(...args)
