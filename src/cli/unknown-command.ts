import { OciError } from '../errors.ts'
import { nearest } from './nearest.ts'

/** Names that other tools have for commands of this one. */
const foreignNames: Readonly<Record<string, string>> = { rm: 'delete', ls: 'list', tags: 'list-tags' }

/** A word that is no command, for which runc has a message and an exit code (3) of its own. */
export class UnknownCommand extends OciError {
  /** @param known the names of all commands, one of which was perhaps meant */
  constructor(word: string, tool: string, known: readonly string[]) {
    const foreign = Object.hasOwn(foreignNames, word) ? foreignNames[word] : undefined
    const meant = foreign ?? nearest(word, known)
    const hint = `${meant === undefined ? '' : `did you mean "${meant}"? `}see "${tool} --help"`
    super('ERR_USAGE', `No help topic for '${word}'`, { hint })
  }
}
