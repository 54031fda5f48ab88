import type { CompileOptions } from '../compile/context.ts'
import type { RegisterValues } from '../program/encode.ts'
import { absolutePath } from '../state-root.ts'

/** Paths that differ between calls that are otherwise the same. */
export interface CallPaths {
  readonly pidFile?: string | undefined
  readonly consoleSocket?: string | undefined
}

/** The registers by which a program names these paths, so that it can be kept for all such calls. */
export function registersOf({ pidFile, consoleSocket }: CallPaths): Pick<CompileOptions, 'pidFile' | 'consoleSocket'> {
  return {
    ...(pidFile !== undefined && { pidFile: [{ register: 'pid_file' }] }),
    ...(consoleSocket !== undefined && { consoleSocket: [{ register: 'console_socket' }] }),
  }
}

/** The values of these registers in this call. */
export function registerValues({ pidFile, consoleSocket }: CallPaths): RegisterValues {
  return {
    ...(pidFile !== undefined && { pid_file: absolutePath(pidFile) }),
    ...(consoleSocket !== undefined && { console_socket: absolutePath(consoleSocket) }),
  }
}
