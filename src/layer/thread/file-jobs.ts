import type { Completion, Piece } from '../open-file.ts'

/** A piece of an open file, and the file's attributes when the piece is its last. */
export interface FileJob {
  /** The file's name in errors. */
  readonly name: string
  readonly piece: Piece
  readonly completion: Completion | undefined
}

/**
 * Jobs in the form in which another thread gets them: nine numbers and a name for each, since passing thousands of
 * small objects takes longer than the jobs themselves.
 */
export interface PackedJobs {
  readonly numbers: Float64Array<ArrayBuffer>
  readonly names: readonly string[]
}

const fields = 9
/** Stands for undefined: no id, mode or time is negative here. */
const none = -1

/** Jobs that wait to be passed to another thread. */
export interface JobList {
  readonly isEmpty: boolean
  add(job: FileJob): void
  /** Removes and returns all jobs in the list. */
  take(): PackedJobs
}

export function createJobList(): JobList {
  let numbers: number[] = []
  let names: string[] = []
  return {
    get isEmpty() {
      return names.length === 0
    },
    add({ name, piece: { descriptor, start, end, position }, completion }) {
      const { owner, mode = none, seconds = none } = completion ?? {}
      numbers.push(descriptor, start, end, position, completion === undefined ? 0 : 1)
      numbers.push(owner?.uid ?? none, owner?.gid ?? none, mode, seconds)
      names.push(name)
    },
    take() {
      const packed = { numbers: Float64Array.from(numbers), names }
      numbers = []
      names = []
      return packed
    },
  }
}

/** The jobs in the order in which they were added. */
export function* unpackJobs({ numbers, names }: PackedJobs): Generator<FileJob> {
  for (const [index, name] of names.entries()) {
    const from = index * fields
    const [descriptor = none, start = 0, end = 0, position = 0, isLast, uid = none, gid = none, mode, seconds] =
      numbers.subarray(from, from + fields)
    const completion: Completion = {
      owner: uid === none ? undefined : { uid, gid },
      mode: mode === none ? undefined : mode,
      seconds: seconds === none ? undefined : seconds,
    }
    const piece = { descriptor, start, end, position }
    yield { name, piece, completion: isLast === 1 ? completion : undefined }
  }
}
