import type { Choices } from '../layer/rootfs.ts'
import type { RegistryOptions } from '../registry/options.ts'
import type { ContentOptions } from '../source/places.ts'
import type { CheckpointOptions } from './container/checkpoint.ts'
import type { ConfigOptions } from './container/config.ts'
import type { CreateOptions } from './container/create.ts'
import type { DeleteOptions } from './container/delete.ts'
import type { DoctorOptions } from './container/doctor.ts'
import type { EngineOptions } from './container/engine.ts'
import type { EventsOptions } from './container/events.ts'
import type { ExecOptions } from './container/exec.ts'
import type { ExplainOptions } from './container/explain.ts'
import type { FeaturesOptions } from './container/features.ts'
import type { KillOptions } from './container/kill.ts'
import type { ListOptions } from './container/list.ts'
import type { ProcessTableOptions } from './container/ps.ts'
import type { RestoreOptions } from './container/restore.ts'
import type { RunOptions } from './container/run.ts'
import type { SpecOptions } from './container/spec.ts'
import type { StartOptions } from './container/start.ts'
import type { ContainerOptions } from './container/state.ts'
import type { StatsOptions } from './container/stats.ts'
import type { StopOptions } from './container/stop.ts'
import type { TryImageOptions } from './container/try-image.ts'
import type { UnshareOptions } from './container/unshare.ts'
import type { UpdateOptions } from './container/update.ts'
import type { WaitOptions } from './container/wait.ts'
import type { CopyOptions } from './image/copy.ts'
import type { DiffOptions } from './image/diff.ts'
import type { ExportOptions } from './image/export.ts'
import type { ExportImageOptions } from './image/export-image.ts'
import type { StoreOptions } from './image/images.ts'
import type { InspectOptions } from './image/inspect.ts'
import type { ListReferrersOptions } from './image/list-referrers.ts'
import type { LoginOptions } from './image/login.ts'
import type { LogoutOptions } from './image/logout.ts'
import type { PullOptions } from './image/pull.ts'
import type { PushOptions } from './image/push.ts'
import type { RepackOptions } from './image/repack.ts'
import type { UnpackOptions } from './image/unpack.ts'
import type { VerifyOptions } from './image/verify.ts'

interface OptionsOfVerbs {
  checkpoint: CheckpointOptions
  config: ConfigOptions
  containerStats: ContainerOptions
  copy: CopyOptions
  create: CreateOptions
  diff: DiffOptions
  doctor: DoctorOptions
  engine: EngineOptions
  deleteImage: RegistryOptions
  digest: InspectOptions
  events: EventsOptions
  exec: ExecOptions
  explain: ExplainOptions
  exportImage: ExportImageOptions
  exportRootfs: ExportOptions
  features: FeaturesOptions
  images: StoreOptions
  inspect: InspectOptions
  inspectConfig: InspectOptions
  inspectRaw: ContentOptions
  kill: KillOptions
  list: ListOptions
  listReferrers: ListReferrersOptions
  listTags: ContentOptions
  login: LoginOptions
  logout: LogoutOptions
  pause: ContainerOptions
  processes: ContainerOptions
  processTable: ProcessTableOptions
  prune: StoreOptions
  pull: PullOptions
  push: PushOptions
  remove: DeleteOptions
  removeImage: StoreOptions
  repack: RepackOptions
  restore: RestoreOptions
  resume: ContainerOptions
  run: RunOptions
  showConfig: Pick<ConfigOptions, 'bundle'>
  spec: SpecOptions
  start: StartOptions
  state: ContainerOptions
  stats: StatsOptions
  stop: StopOptions
  tryImage: TryImageOptions
  tag: StoreOptions
  unpack: UnpackOptions
  unshare: UnshareOptions
  update: UpdateOptions
  verify: VerifyOptions
  wait: WaitOptions
}

export type VerbWithOptions = keyof OptionsOfVerbs

/** True for each option that must be given. */
type Names<T> = { readonly [Key in keyof Required<T>]: undefined extends T[Key] ? false : true }

const container: Names<ContainerOptions> = { root: false, id: true }
const store: Names<StoreOptions> = { store: false, env: false }
const registry: Names<RegistryOptions> = {
  credentials: false,
  authFile: false,
  policy: false,
  insecure: false,
  foreignLayers: false,
  env: false,
  signal: false,
  log: false,
  warn: false,
}
const content: Names<ContentOptions> = { ...registry, stdin: false }
const criu = {
  tcpEstablished: false,
  extUnixSk: false,
  shellJob: false,
  fileLocks: false,
  autoDedup: false,
  lazyPages: false,
  manageCgroupsMode: false,
  imagePath: false,
  workPath: false,
} as const
const explain: Names<ExplainOptions> = {
  root: false,
  bundle: false,
  configFile: false,
  preserveFds: false,
  listenFds: false,
  pidFile: false,
  consoleSocket: false,
  pidfdSocket: false,
  noPivot: false,
  noNewKeyring: false,
  notifySocket: false,
  mainPid: false,
  systemdCgroup: false,
  log: false,
}
const create: Names<CreateOptions> = {
  ...explain,
  id: true,
  noSubreaper: false,
  keep: false,
  noCache: false,
  forwardSignals: false,
  stdio: false,
  signal: false,
}
const choices: Names<Choices> = { strictOverlay: false, keepDirlinks: false }
const exportImage: Names<ExportImageOptions> = {
  ...choices,
  ...registry,
  subids: false,
  limits: false,
  platform: false,
  onLayerRead: false,
  onLayer: false,
  warn: false,
  keepUnpacked: false,
  store: false,
  onProgress: false,
}
const copy: Names<CopyOptions> = {
  ...content,
  all: false,
  referrers: false,
  platform: false,
  targetCredentials: false,
  sourceInsecure: false,
  targetInsecure: false,
  output: false,
  warn: false,
  onProgress: false,
  onBlob: false,
}

/** The options of every verb, which programs without types are told of when they have one wrong. */
export const optionNames: { readonly [Verb in VerbWithOptions]: Names<OptionsOfVerbs[Verb]> } = {
  checkpoint: {
    ...container,
    ...criu,
    statusFd: false,
    warn: false,
    leaveRunning: false,
    tcpSkipInFlight: false,
    linkRemap: false,
    preDump: false,
    parentPath: false,
    pageServer: false,
  },
  config: { bundle: false, changes: false, env: false },
  containerStats: container,
  copy,
  create,
  doctor: { ...store, root: false },
  diff: { ...store, bundle: true, base: false, signal: false, warn: false },
  deleteImage: registry,
  digest: { ...content, platform: false },
  events: { ...container, intervalMs: true, signal: false },
  exec: {
    ...container,
    processFile: false,
    args: false,
    cwd: false,
    env: false,
    terminal: false,
    user: false,
    additionalGids: false,
    capabilities: false,
    noNewPrivileges: false,
    apparmorProfile: false,
    selinuxLabel: false,
    detach: false,
    pidFile: false,
    consoleSocket: false,
    pidfdSocket: false,
    preserveFds: false,
    cgroups: false,
    ignorePaused: false,
    noSubreaper: false,
    stdio: false,
    forwardSignals: false,
    signal: false,
    log: false,
  },
  explain,
  exportImage,
  exportRootfs: { bundle: true, signal: false, warn: false },
  engine: { action: false, asDefault: false, file: false, runtime: false, env: false },
  features: { version: false },
  images: store,
  inspect: { ...content, platform: false },
  inspectConfig: { ...content, platform: false },
  inspectRaw: content,
  kill: { ...container, signal: false, all: false, wait: false, onIgnored: false, abort: false },
  list: { root: false, onUnreadable: false },
  listReferrers: { ...content, platform: false, artifactType: false },
  listTags: content,
  login: {
    authFile: false,
    policy: false,
    insecure: false,
    foreignLayers: false,
    env: false,
    signal: false,
    log: false,
    warn: false,
    username: true,
    password: true,
  },
  logout: { authFile: false, env: false, warn: false },
  pause: container,
  processes: container,
  processTable: { ...container, psArgs: false },
  prune: store,
  pull: { ...exportImage, out: true, force: false, terminal: false, changes: false },
  push: { ...copy, from: false, store: false },
  remove: { ...container, force: false, warn: false },
  removeImage: store,
  repack: {
    bundle: true,
    image: true,
    base: false,
    changes: false,
    message: false,
    created: false,
    store: false,
    env: false,
    signal: false,
    warn: false,
  },
  restore: {
    ...explain,
    ...criu,
    id: true,
    noSubreaper: false,
    forwardSignals: false,
    detach: false,
    lsmProfile: false,
    lsmMountContext: false,
  },
  resume: container,
  run: { ...create, detach: false },
  showConfig: { bundle: false },
  spec: { bundle: false, rootless: false, terminal: false, changes: false, env: false },
  start: { ...container, notifySocket: false, signal: false },
  state: container,
  stats: { root: false, ids: false, intervalMs: true, signal: false },
  stop: { ...container, timeoutMs: false },
  tryImage: {
    ...registry,
    ...choices,
    changes: false,
    name: false,
    keep: false,
    pull: false,
    platform: false,
    store: false,
    root: false,
    systemdCgroup: false,
    stdio: false,
    onKept: false,
    onLayer: false,
    onLayerRead: false,
    onProgress: false,
  },
  tag: store,
  unpack: {
    ...choices,
    out: true,
    force: false,
    terminal: false,
    changes: false,
    subids: false,
    limits: false,
    platform: false,
    stdin: false,
    policy: false,
    env: false,
    signal: false,
    warn: false,
    onLayerRead: false,
    onLayer: false,
  },
  unshare: { command: true, env: false },
  update: { ...container, resources: true, intelRdt: false, warn: false },
  verify: { ...store, signal: false },
  wait: { ...container, signal: false },
}
