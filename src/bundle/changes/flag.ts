import { OciError } from '../../errors.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { Surroundings } from './outside.ts'

/** The words that help and the manual have for a flag. */
export interface FlagText {
  readonly letter?: string
  /** The name of the value in documents, e.g. `NAME=value`; a switch has none. */
  readonly placeholder?: string
  readonly help: string
}

/** The facts of the host by which values are found in a config.json. */
export type ShownHost = Pick<Surroundings, 'look' | 'platform' | 'engineSeccomp'>

interface FlagOf<Kind, Value, Shown> extends FlagText {
  readonly kind: Kind
  /**
   * Makes the change in a config.json; `name` is the flag's.
   *
   * @throws OciError naming the flag and its value, `ERR_USAGE` for a value that makes no sense
   */
  readonly change: (config: RuntimeConfig, value: Value, around: Surroundings, name: string) => RuntimeConfig
  /** The value with which the flag would make `base` what `config` is. */
  readonly show: Show<Shown>
}

type Show<Shown> = (config: RuntimeConfig, base: RuntimeConfig, host: ShownHost) => Shown

/** A flag that is given or not; with `negation` it can be taken back, as `--no-NAME`. */
export interface SwitchFlag extends FlagOf<'switch', boolean, boolean | undefined> {
  /** The help of `--no-NAME`, where there is such a flag. */
  readonly negation?: string
}

/** A flag of one value: the last one counts. */
export interface TextFlag extends FlagOf<'text', string | number, string | undefined> {}

/** A flag that can be given several times. */
export interface ListFlag extends FlagOf<'list', readonly string[], readonly string[]> {}

export type Flag = SwitchFlag | TextFlag | ListFlag

interface How<Piece, Pieces, Shown> {
  /** Reads one value; pure but for `around`. */
  readonly parse: (text: string, around: Surroundings) => Piece
  readonly apply: (config: RuntimeConfig, pieces: Pieces, around: Surroundings) => RuntimeConfig
  readonly show: Show<Shown>
}

export function text<Piece>(words: FlagText, { parse, apply, show }: How<Piece, Piece, string | undefined>): TextFlag {
  return {
    ...words,
    kind: 'text',
    show,
    change: (config, value, around, name) =>
      naming(name, String(value), () => apply(config, parse(String(value), around), around)),
  }
}

export function list<Piece>(
  words: FlagText,
  { parse, apply, show }: How<Piece, readonly Piece[], readonly string[]>,
): ListFlag {
  return {
    ...words,
    kind: 'list',
    show,
    change: (config, values, around, name) => {
      const pieces = values.map((value) => naming(name, value, () => parse(value, around)))
      return naming(name, values.join(' '), () => apply(config, pieces, around))
    },
  }
}

export function toggle(
  words: FlagText & Pick<SwitchFlag, 'negation'>,
  {
    apply,
    show,
  }: Pick<SwitchFlag, 'show'> & {
    readonly apply: (config: RuntimeConfig, isSet: boolean, around: Surroundings) => RuntimeConfig
  },
): SwitchFlag {
  return {
    ...words,
    kind: 'switch',
    show,
    change: (config, isSet, around, name) => naming(name, undefined, () => apply(config, isSet, around)),
  }
}

/** The error of a value that makes no sense; the flag's name and the value are put before the message. */
export const refusal = (message: string, hint?: string): OciError => new OciError('ERR_USAGE', message, { hint })

function naming<T>(name: string, value: string | undefined, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof OciError) || error.message.startsWith('--')) throw error
    const { code, message, hint } = error
    const given = value === undefined ? `--${name}` : `--${name} "${value}"`
    throw new OciError(code, `${given}: ${message}`, { hint, cause: error })
  }
}
