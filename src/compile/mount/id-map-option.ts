import { OciError } from '../../errors.ts'
import type { IDMapping, Linux } from '../../oci/runtime-config.ts'

type Mappings = readonly [uids: readonly IDMapping[], gids: readonly IDMapping[]]

const maxID = 2 ** 32 - 1

/**
 * Parses the value of a mount's option `idmap=`: `uids=0-1000-10#10-2000-5;gids=0-1000-10`. Of each three numbers the first
 * is an id of the filesystem, the second an id of the host, the third how many. After an `@` the second is an id of the
 * container, which its user namespace maps to the host's.
 *
 * @param pointer the place of the option in config.json
 * @throws OciError `ERR_CONFIG_INVALID`
 * @see crun crun.1.md "idmap mount options"
 */
export function parseIDMap(text: string, linux: Linux | undefined, pointer: string): Mappings {
  const found = { uids: [] as readonly IDMapping[], gids: [] as readonly IDMapping[] }
  for (const part of text.split(';')) {
    const [, kind, list = ''] = /^(uids|gids)=(.+)$/.exec(part) ?? []
    if (kind !== 'uids' && kind !== 'gids') throw invalid(`"${part}" is no mapping of ids`, pointer)
    const ofContainer = kind === 'uids' ? linux?.uidMappings : linux?.gidMappings
    found[kind] = list.split('#').map((range) => parseRange(range, ofContainer ?? [], pointer))
  }
  return [found.uids, found.gids]
}

function parseRange(range: string, ofContainer: readonly IDMapping[], pointer: string): IDMapping {
  const [, relative, ...digits] = /^(@?)(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(range) ?? []
  const [containerID, id, size] = digits.map(Number)
  if (containerID === undefined || id === undefined || size === undefined || Math.max(containerID, id, size) > maxID) {
    throw invalid(`"${range}" is no range of ids`, pointer)
  }
  if (relative === '') return { containerID, hostID: id, size }
  const around = ofContainer.find((mapping) => id >= mapping.containerID && id < mapping.containerID + mapping.size)
  if (around === undefined)
    throw invalid(`the user namespace has no id ${id}, to which "${range}" is relative`, pointer)
  return { containerID, hostID: around.hostID + id - around.containerID, size }
}

const invalid = (message: string, pointer: string): OciError =>
  new OciError('ERR_CONFIG_INVALID', message, {
    pointer,
    hint: 'write idmap=uids=FIRST-HOST-COUNT;gids=FIRST-HOST-COUNT, with # between ranges',
  })
