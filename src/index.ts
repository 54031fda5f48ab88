export { type ErrorCode, type ErrorDetails, errorCodes, OciError } from './errors.ts'
export { type PullOptions, type PullResult, pull } from './pull.ts'
export { type UnpackOptions, type UnpackResult, unpack } from './unpack.ts'
