import { OciError } from '../errors.ts'

/** Refuses to write an archive to a terminal. */
export const nothingForTerminal = (hint: string): OciError =>
  new OciError('ERR_USAGE', 'an archive is nothing for a terminal', { hint })
