/** The control files of a freezer, and their values. */
export interface FreezerFiles {
  /** The file to which `frozen` or `thawed` is written; reading it gives the requested state. */
  readonly control: string
  readonly frozen: string
  readonly thawed: string
  /** A file that has the line `proofLine` once the cgroup's own freezer has stopped all processes. */
  readonly proof: string
  readonly proofLine: string
}

/** @see kernel cgroup-v1/freezer-subsystem.rst */
export const freezerFilesV1: FreezerFiles = {
  control: 'freezer.state',
  frozen: 'FROZEN',
  thawed: 'THAWED',
  proof: 'freezer.self_freezing',
  proofLine: '1',
}

/** @see kernel cgroup-v2.rst "cgroup.freeze" */
export const freezerFilesV2: FreezerFiles = {
  control: 'cgroup.freeze',
  frozen: '1',
  thawed: '0',
  proof: 'cgroup.events',
  proofLine: 'frozen 1',
}

/** The freezer of a cgroup: its directory, and the files there; undefined where there is none. */
export function freezerOf<Directory>({
  freezer,
  '': unified,
}: Readonly<Record<string, Directory>>): { readonly directory: Directory; readonly files: FreezerFiles } | undefined {
  if (freezer !== undefined) return { directory: freezer, files: freezerFilesV1 }
  return unified === undefined ? undefined : { directory: unified, files: freezerFilesV2 }
}

/** True when the proof file of the unified hierarchy says that all processes of the cgroup have stopped. */
export const isProven = (content: string | undefined): boolean =>
  content?.split('\n').includes(freezerFilesV2.proofLine) ?? false
