import { readFileSync } from 'node:fs'
import { isSystemError } from '../../errors.ts'
import { exactText, isText } from '../../text.ts'
import { lookUpUser } from '../user.ts'
import type { Surroundings } from './config-changes.ts'
import { refusal } from './flag.ts'

/** The parts of the surroundings that other folders know. */
export interface Elsewhere {
  /** Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  readonly parseSignal: Surroundings['parseSignal']
}

/**
 * This process's own surroundings. Each file is read once, so that it can be a pipe.
 *
 * @returns them for a rootfs, or for one that is not there yet, whose only user is root
 */
export function surroundingsOf({ env = process.env, ...others }: Elsewhere): (rootfs?: string) => Surroundings {
  const files = new Map<string, string>()
  const readOnce = (path: string): string => {
    const text = files.get(path) ?? readText(path)
    files.set(path, text)
    return text
  }
  return (rootfs) => ({
    ...others,
    env,
    readText: readOnce,
    lookUpUser: (text) =>
      rootfs === undefined ? { uid: 0, gid: 0, additionalGids: [], home: undefined } : lookUpUser(rootfs, text),
  })
}

function readText(path: string): string {
  try {
    const text = exactText(readFileSync(path))
    if (isText(text)) return text
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw refusal(`it cannot be read: ${error.code === 'ENOENT' ? 'there is no such file' : error.code}`)
  }
  throw refusal('it is not UTF-8')
}
