import { OciError } from '../errors.ts'

/** The error of an `exec` whose container has ended, before the call or during it. */
export const stoppedContainer = (): OciError =>
  new OciError('ERR_CONTAINER_STATUS', 'cannot exec in a stopped container')
