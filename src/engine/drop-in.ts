import { OciError } from '../errors.ts'

/** The first line of a file that is all this tool's. */
const mark = '# Written by "bundle-tool engine", which also removes it.\n'

/** The text of a file that is all this tool's. @throws OciError `ERR_ENGINE_CONFIG` others have written the present one */
export function dropIn(content: string, present: string): string {
  checkOwn(present)
  return `${mark}${content}`
}

/** Takes such a file away. @throws OciError `ERR_ENGINE_CONFIG` others have written it */
export function removeDropIn(present: string): undefined {
  checkOwn(present)
}

function checkOwn(text: string): void {
  if (text === '' || text.startsWith(mark)) return
  throw new OciError('ERR_ENGINE_CONFIG', 'the file has not been written by this tool', {
    hint: 'name another one with --file, or move it away',
  })
}
