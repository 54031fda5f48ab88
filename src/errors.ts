/**
 * Every failure that this tool diagnoses, by code. Codes are public API: never renamed, never reused after removal.
 * The text explains the code for the documentation; an error's message names the operation that failed and its object.
 */
export const errorCodes = {
  ERR_USAGE: 'the command line asks for something that does not exist or does not fit together',
  ERR_INTERRUPTED: 'the operation was stopped by a signal before it was done',
  ERR_PERMISSION: 'the caller lacks a right that the operation needs',
  ERR_NOT_SUPPORTED: 'the input is valid, and this version or this host cannot do what it asks for',

  ERR_REFERENCE_INVALID: 'an image name that does not follow the reference grammar',
  ERR_DIGEST_INVALID: 'a digest that is not algorithm:hex of a known algorithm',
  ERR_DIGEST_MISMATCH: 'content whose digest or size is not what its descriptor says',
  ERR_MANIFEST_INVALID: 'a manifest, index or image config that breaks its specification',
  ERR_PLATFORM_UNAVAILABLE: 'an image that has no manifest for the wanted platform',
  ERR_IMAGE_NOT_FOUND: 'an image that the source does not have',
  ERR_SOURCE_INVALID: 'an archive or directory that is not what its kind requires',

  ERR_POLICY: 'an image that policy.json does not allow, or for which it has a requirement that cannot be checked',
  ERR_REGISTRY: 'a registry or a daemon answered with an error',
  ERR_REGISTRY_AUTH: 'a registry refused the credentials, or wanted some where none are configured',
  ERR_NETWORK: 'a server could not be reached, or the connection broke for good',

  ERR_LAYER_INVALID: 'a layer that is damaged, or whose entries would leave the rootfs',
  ERR_LIMIT_EXCEEDED: 'content larger, deeper or more numerous than a limit allows',
  ERR_FILE_SYSTEM: 'the file system refuses an operation: it is full, read-only, or lacks a feature',
  ERR_STORE_INVALID: 'a store that is damaged or was made by something else',
  ERR_STORE_IN_USE: 'a store that another process is pulling into, so that nothing can be removed from it',
  ERR_BUNDLE_EXISTS: 'the path for a new bundle exists already',
  ERR_BUNDLE_INVALID: 'a directory that is not a bundle: config.json or rootfs is missing or of the wrong kind',
  ERR_USER_UNKNOWN: 'a user or group that the rootfs does not know',

  ERR_CONFIG_INVALID: 'a config.json that is not JSON or breaks the runtime specification',
  ERR_CONFIG_UNSUPPORTED: 'a field of config.json that cannot be applied',
  ERR_CONTAINER_ID_INVALID: 'a container ID with characters that are not allowed',
  ERR_CONTAINER_EXISTS: 'a container ID that is taken',
  ERR_CONTAINER_NOT_FOUND: 'a container that does not exist',
  ERR_CONTAINER_STATUS: 'a container that is not in the status that the operation needs',
  ERR_EXIT_STATUS_UNKNOWN: 'a container has ended, and this kernel does not tell how',
  ERR_STATE_INVALID: 'a state.json that cannot be read',
  ERR_COMMAND_NOT_FOUND: 'a command that the rootfs does not have',
  ERR_COMMAND_NOT_EXECUTABLE: 'a command that is there and cannot be executed',

  ERR_HOOK: 'a hook of config.json failed',
  ERR_CONTAINER_NETWORK:
    'a program that is to be the way to the network of a container failed, as pasta does without a route',

  ERR_RUNNER_MISSING: 'the runner binary is missing or for another architecture',
  ERR_PROGRAM_INVALID: 'a program that the runner refuses',
  ERR_SYSCALL: 'a system call of a program failed',
  ERR_CRIU: 'CRIU is not installed, or a checkpoint or restore with it failed',
  ERR_ENGINE_CONFIG: 'the configuration of a container engine cannot be read, or not be changed without changing more',
  ERR_SYSTEMD: 'a request to systemd failed, or the message bus that leads to it cannot be reached',
} as const

export type ErrorCode = keyof typeof errorCodes

/** Details of an error beside its message. */
export interface ErrorDetails {
  /** RFC 6901 pointer to the config.json value at fault. */
  readonly pointer?: string | undefined
  /** One imperative sentence: what the reader can do about it. */
  readonly hint?: string | undefined
  readonly cause?: unknown
}

/** The one error class: every diagnosed failure is an `OciError`; anything else that is thrown is a bug. */
export class OciError extends Error {
  readonly code: ErrorCode
  readonly pointer: string | undefined
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'OciError'
    this.code = code
    this.pointer = details.pointer
    this.hint = details.hint
  }
}

/** A copy of an error with another message. */
export function reworded({ code, hint, pointer, cause }: OciError, message: string): OciError {
  return new OciError(code, message, { hint, pointer, cause })
}

/** True when `error` is a Node.js system error, and has one of `codes` (`ENOENT` ...) if any are given. */
export function isSystemError(error: unknown, ...codes: readonly string[]): error is NodeJS.ErrnoException {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return false
  return codes.length === 0 || codes.includes(String(error.code))
}

/** True when `error` says that a path leads to no file, or cannot lead to one: it is too long, or its links form a loop. */
export const leadsNowhere = (error: unknown): error is NodeJS.ErrnoException =>
  isSystemError(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP')

/** An error in a form that a message between threads can carry. */
export interface PlainError {
  readonly message: string
  readonly stack: string | undefined
  /** Present for an OciError, as are `hint` and `pointer`. */
  readonly code?: ErrorCode
  readonly hint?: string | undefined
  readonly pointer?: string | undefined
  /** Present for a system error. */
  readonly system?: Pick<NodeJS.ErrnoException, 'code' | 'errno' | 'syscall' | 'path'>
  readonly cause?: PlainError
}

/** Converts anything that was thrown, with its causes, so that `fromPlainError` can rebuild it in another thread. */
export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { message: String(error), stack: undefined }
  const { message, stack, cause } = error
  const own = error instanceof OciError ? { code: error.code, hint: error.hint, pointer: error.pointer } : {}
  return {
    message,
    stack,
    ...own,
    ...(isSystemError(error) && { system: systemFacts(error) }),
    ...(cause !== undefined && { cause: toPlainError(cause) }),
  }
}

/** Rebuilds the error that `toPlainError` converted, with its class, stack and causes. */
export function fromPlainError({ message, stack, code, hint, pointer, system, cause }: PlainError): Error {
  const inner = cause === undefined ? undefined : fromPlainError(cause)
  const error =
    code === undefined
      ? Object.assign(new Error(message, { cause: inner }), system)
      : new OciError(code, message, { hint, pointer, cause: inner })
  if (stack !== undefined) error.stack = stack
  return error
}

const systemFacts = ({ code, errno, syscall, path }: NodeJS.ErrnoException) => ({
  ...(code !== undefined && { code }),
  ...(errno !== undefined && { errno }),
  ...(syscall !== undefined && { syscall }),
  ...(path !== undefined && { path }),
})
