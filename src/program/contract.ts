/**
 * The facts that C and TypeScript must agree on, beside the op table. `npm run generate` writes native/contract.h from
 * them; a test fails when C says one of them by hand.
 */

/** The exit code of a process that has found no program to execute, and has done and printed nothing. */
export const noProgram = 75

/**
 * The kinds of guards: facts that a kept program was compiled from, each compared with the host before the program runs.
 *
 * - `key`: the call that the program is for
 * - `place`: which file or directory a path leads to: device, inode and mode; a link is not followed
 * - `present`, `absent`: that a path leads to something, or to nothing
 * - `executable`, `not_executable`: that access(2) lets the caller execute a path, or does not
 * - `content`: the bytes of a regular file
 * - `mounts`: the mounts in a mountinfo file whose file system types begin alike; from device to options, and from type
 *   to options, since numbers and peer groups are another mount namespace's own
 * - `caller`: the ids and effective capabilities of the process
 * - `kernel`: release and version of the kernel
 */
export const guardKinds = {
  key: 1,
  place: 2,
  present: 3,
  absent: 4,
  executable: 5,
  not_executable: 6,
  content: 7,
  mounts: 8,
  caller: 9,
  kernel: 10,
} as const

export type GuardKind = keyof typeof guardKinds

/** The first bytes of a kept program: a header, guards, then an encoded program. */
export const keptMagic = 'BTKP'

/** The runner refuses a larger program, and reads no larger file of any kind into memory. */
export const maxProgramBytes: number = 256 * 1024 * 1024

/** The state of a container, in its directory: it goes last, as long as anything is left of the container. */
export const stateFile = 'state.json'

/** The state root of a user without XDG_RUNTIME_DIR, but for the user's number, which comes behind it. */
export const temporaryRootPrefix = '/tmp/bundle-tool-'
