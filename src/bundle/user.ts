import { OciError } from '../errors.ts'
import { readInRootfs } from '../layer/read-in-rootfs.ts'

/** The numeric ids of an image's user. */
export interface ImageUser {
  readonly uid: number
  readonly gid: number
  /** The groups in /etc/group of which the user is a member; empty if the image names a group. */
  readonly additionalGids: readonly number[]
  /** The home directory in /etc/passwd. */
  readonly home: string | undefined
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

/** The largest id: one less than (uid_t)-1 and (gid_t)-1, which mean "no change" in system calls. */
const maxID = 2 ** 32 - 2
const maxFileBytes = 16 * 1024 * 1024

/**
 * Looks up the `User` of an image config (`user`, `uid`, `user:group`, `uid:gid` ...) in /etc/passwd and /etc/group of its
 * rootfs. Digits are an id, never a name, and need no entry; an absent or empty user is uid 0.
 *
 * @throws OciError `ERR_USER_UNKNOWN` a name without an entry, or an id that no process can have
 * @see image-spec v1.1.1 config.md "User", conversion.md "Config.User"
 */
export function lookUpUser(rootfs: string, text = ''): ImageUser {
  const [userText = '', ...groupTexts] = text.split(':')
  const groupText = groupTexts.join(':')
  const users = readTable(rootfs, '/etc/passwd', parsePasswdLine)
  const uid = parseID(userText === '' ? '0' : userText, text)
  const user = users.find((entry) => (uid === undefined ? entry.name === userText : entry.uid === uid))
  if (user === undefined && uid === undefined) throw unknown('user', userText, '/etc/passwd')

  const groups = readTable(rootfs, '/etc/group', parseGroupLine)
  const own = { uid: user?.uid ?? uid ?? 0, home: user?.home || undefined }
  if (groupText === '') {
    const additionalGids = new Set(
      groups.filter(({ members }) => user && members.includes(user.name)).map(({ gid }) => gid),
    )
    return { ...own, gid: user?.gid ?? 0, additionalGids: [...additionalGids] }
  }
  const gid = parseID(groupText, text) ?? groups.find(({ name }) => name === groupText)?.gid
  if (gid === undefined) throw unknown('group', groupText, '/etc/group')
  return { ...own, gid, additionalGids: [] }
}

/** Parses digits as an id; undefined if the text is a name. */
function parseID(text: string, whole: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined
  const id = Number(text)
  if (id <= maxID) return id
  throw new OciError('ERR_USER_UNKNOWN', `image user "${whole}" has the id ${text}, and the largest is ${maxID}`, {
    pointer: '/config/User',
  })
}

function unknown(kind: 'user' | 'group', name: string, file: string): OciError {
  return new OciError('ERR_USER_UNKNOWN', `image ${kind} "${name}" is not in the ${file} of its rootfs`, {
    pointer: '/config/User',
  })
}

function readTable<Entry>(rootfs: string, path: string, parse: (line: string) => Entry | undefined): Entry[] {
  const content = readInRootfs(rootfs, path, maxFileBytes)
  if (content === undefined) return []
  const lines = new TextDecoder().decode(content).split('\n')
  return lines.map((line) => parse(line.trim())).filter((entry) => entry !== undefined)
}

/** Parses a line of /etc/passwd; undefined if it is damaged. @see man 5 passwd */
function parsePasswdLine(line: string): PasswdEntry | undefined {
  const [name = '', , uid = '', gid = '', , home = ''] = line.split(':')
  if (name === '' || name.startsWith('#') || !isID(uid) || !isID(gid) || home.includes('\0')) return undefined
  return { name, uid: Number(uid), gid: Number(gid), home }
}

/** Parses a line of /etc/group; undefined if it is damaged. @see man 5 group */
function parseGroupLine(line: string): GroupEntry | undefined {
  const [name = '', , gid = '', members = ''] = line.split(':')
  if (name === '' || name.startsWith('#') || !isID(gid)) return undefined
  return { name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') }
}

/** True for digits in range. Others make a line damaged, which is skipped, as by getpwnam(3). */
function isID(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= maxID
}
