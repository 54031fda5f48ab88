import type { CompileOptions } from '../compile/context.ts'
import type { RegisterValues } from '../program/encode.ts'
import { absolutePath } from '../state-root.ts'

/** Paths that differ from one call to the next, where all else is the same. */
export interface CallPaths {
  readonly pidFile?: string | undefined
  readonly consoleSocket?: string | undefined
}

/** How a program names them, so that it can be kept for all of those calls. */
export function registersOf({ pidFile, consoleSocket }: CallPaths): Pick<CompileOptions, 'pidFile' | 'consoleSocket'> {
  return {
    ...(pidFile !== undefined && { pidFile: [{ register: 'pid_file' }] }),
    ...(consoleSocket !== undefined && { consoleSocket: [{ register: 'console_socket' }] }),
  }
}

/** What they are in this call. */
export function registerValues({ pidFile, consoleSocket }: CallPaths): RegisterValues {
  return {
    ...(pidFile !== undefined && { pid_file: absolutePath(pidFile) }),
    ...(consoleSocket !== undefined && { console_socket: absolutePath(consoleSocket) }),
  }
}
