import { OciError } from '../errors.ts'

/** The error of a command for a running container when that has ended. */
export const notRunning = (id: string): OciError =>
  new OciError('ERR_CONTAINER_STATUS', `container not running: "${id}"`)
