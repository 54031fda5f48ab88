import { isSystemError } from '../errors.ts'

/**
 * An error that no command expects and that a command goes on after, as one message: the stack of a fault of this program,
 * which is to be reported.
 *
 * @param what what is done, or left out, because of it
 */
export function describeUnexpected(what: string, error: unknown): string {
  if (isSystemError(error)) return `${what}: ${error.message}`
  return `${what}: internal error, please report it: ${error instanceof Error ? error.stack : String(error)}`
}
