import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSystemError, leadsNowhere, OciError } from '../../errors.ts'
import { isContainerID } from '../../runtime/container-id.ts'
import { readContainer, readStatus } from '../../runtime/state-file.ts'
import { absoluteRoot, defaultRoot } from '../../state-root.ts'
import { type State, stateOf } from './state.ts'

export interface ListOptions {
  /** Where containers' states are kept; default: `defaultRoot` of this process. */
  readonly root?: string | undefined
  /** Hears of each container that cannot be shown, and why. */
  readonly onUnreadable?: ((id: string, error: OciError) => void) | undefined
}

/**
 * The containers of a root, by ID.
 *
 * The default root need not be there: no container has been made yet. Containers that go away meanwhile are left out.
 * @throws OciError `ERR_USAGE` there is no such root
 */
export async function list({ root, onUnreadable }: ListOptions = {}): Promise<readonly State[]> {
  const directory = absoluteRoot(root)
  const states: State[] = []
  const owners = new Map<number, string>()
  for (const id of readIDs(directory)) {
    try {
      const { uid } = lstatSync(join(directory, id))
      const container = readContainer(directory, id)
      const owner = owners.get(uid) ?? userName(uid)
      owners.set(uid, owner)
      states.push(stateOf(container, await readStatus(container), owner))
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) continue
      if (!(error instanceof OciError)) throw error
      if (!isOthers(id, error)) onUnreadable?.(id, error)
    }
  }
  return states
}

/** True for a hidden directory without a container, as others keep in a root that is not only for containers. */
const isOthers = (id: string, { code }: OciError): boolean =>
  id.startsWith('.') && (code === 'ERR_CONTAINER_NOT_FOUND' || code === 'ERR_PERMISSION')

function readIDs(root: string): readonly string[] {
  try {
    const entries = readdirSync(root, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory() && isContainerID(entry.name))
      .map((entry) => entry.name)
      .sort()
  } catch (error) {
    if (!leadsNowhere(error) && !isSystemError(error, 'EACCES')) throw error
    if (error.code === 'ENOENT' && root === defaultRoot(process.env, process.geteuid?.() ?? 0)) return []
    throw new OciError(
      error.code === 'EACCES' ? 'ERR_PERMISSION' : 'ERR_USAGE',
      `unable to list "${root}": ${error.code}`,
      {
        hint: 'name the directory that holds the containers with --root',
        cause: error,
      },
    )
  }
}

/** The name of a user as the host's /etc/passwd has it, `#1000` where it has none. */
function userName(uid: number): string {
  try {
    const users = readFileSync('/etc/passwd', 'utf8').split('\n')
    return users.map((line) => line.split(':')).find((fields) => fields[2] === String(uid))?.[0] ?? `#${uid}`
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return `#${uid}`
    throw error
  }
}
