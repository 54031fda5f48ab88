export { type ErrorCode, type ErrorDetails, errorCodes, OciError } from './errors.ts'
export { type PullOptions, type PullResult, pull } from './pull.ts'
export { type SpecOptions, spec } from './spec.ts'
export { type UnpackOptions, type UnpackResult, unpack } from './unpack.ts'
