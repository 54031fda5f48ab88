import { OciError } from '../../errors.ts'
import { type DeleteOptions, remove } from './delete.ts'
import { list } from './list.ts'

export interface DeleteMatchingOptions extends Omit<DeleteOptions, 'id'> {
  /** An extended regular expression, which matches anywhere in an ID. */
  readonly pattern: string
}

/**
 * Deletes each container whose ID matches, as `remove` does. One that cannot be deleted is a warning, and the next one is.
 *
 * @throws OciError `ERR_USAGE` the pattern is none, or there is no such root
 */
export async function removeMatching({ pattern, warn, ...options }: DeleteMatchingOptions): Promise<void> {
  const expression = extendedExpression(pattern)
  const onUnreadable = (id: string, { message }: OciError): void => warn?.(`container "${id}": ${message}`)
  for (const { id } of await list({ root: options.root, onUnreadable })) {
    if (!expression.test(id)) continue
    try {
      await remove({ ...options, id, warn })
    } catch (error) {
      if (!(error instanceof OciError)) throw error
      warn?.(error.message)
    }
  }
}

/** The characters of IDs that are in a class of POSIX. */
const classes: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  blank: '',
  cntrl: '',
  digit: '0-9',
  graph: '+.\\w-',
  lower: 'a-z',
  print: '+.\\w-',
  punct: '+._-',
  space: '',
  upper: 'A-Z',
  xdigit: 'A-Fa-f0-9',
}

/** Compiles an expression as regcomp(3) takes it with REG_EXTENDED, for texts of the characters of IDs. */
function extendedExpression(pattern: string): RegExp {
  const translated = pattern.replaceAll(/\[:(\w+):\]/g, (whole, name: string) => classes[name] ?? whole)
  try {
    return new RegExp(translated)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new OciError('ERR_USAGE', `invalid regular expression "${pattern}"`, { cause })
  }
}
