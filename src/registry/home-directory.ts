import { userInfo } from 'node:os'
import { join } from 'node:path'
import { isSystemError } from '../errors.ts'

/** The caller's home: $HOME, or what the system's users have for one who has no such variable, as below cron(8). */
export const homeDirectory = ({ HOME }: NodeJS.ProcessEnv): string => HOME || homeOfUser()

/** The caller's directory of configuration. @see XDG Base Directory Specification */
export const configDirectory = (env: NodeJS.ProcessEnv): string =>
  env.XDG_CONFIG_HOME || join(homeDirectory(env), '.config')

function homeOfUser(): string {
  try {
    return userInfo().homedir
  } catch (error) {
    if (isSystemError(error, 'ERR_SYSTEM_ERROR')) return '/' // nobody has this number
    throw error
  }
}
