export { type ErrorCode, type ErrorDetails, errorCodes, OciError } from './errors.ts'
