import type { Completion, Piece } from '../open-file.ts'

/** Bytes for an open file, and what completes it when they are its last ones. */
export interface FileJob {
  /** What errors call the file. */
  readonly name: string
  readonly piece: Piece
  readonly completion: Completion | undefined
}

/**
 * Jobs as they are given to another thread: nine numbers for each and a name, since to pass on thousands of small objects
 * takes longer than to carry out what they say.
 */
export interface PackedJobs {
  readonly numbers: Float64Array<ArrayBuffer>
  readonly names: readonly string[]
}

const fields = 9
/** No id, mode or time that is set is negative. */
const none = -1

/** Jobs that wait to be given away. */
export interface JobList {
  readonly isEmpty: boolean
  add(job: FileJob): void
  /** All since the last time. */
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
