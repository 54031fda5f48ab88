import { constants } from 'node:fs'
import { OciError } from '../errors.ts'
import { checkLinkTarget, checkPathLimits, componentsOf } from './entry-path.ts'
import { createFileWriter } from './file-writer.ts'
import { hide, hideChildren, isForeign, makeDirectory, remove, type Site } from './site.ts'
import { shown, type TarEntry, type TarSink } from './tar/reader.ts'
import { childPath, type Directory, type Inode, type Leaf, touch, walk } from './tree.ts'
import type { Place } from './tree-maker.ts'
import { parseWhiteout, type Whiteout } from './whiteout.ts'
import { applicableXattrs } from './xattrs.ts'

/** The sink that applies one layer. */
export interface LayerApplier extends TarSink {
  /** Number of entries so far. */
  readonly entries: number
  /** Tells where the next chunk has been placed for the process that makes the files. */
  placed(from: number): void
  /** Removes the files that are needed only while the layer is applied. */
  finish(): void
}

const specialTypes = { character: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const

/**
 * Applies the entries of one layer to `site`, in archive order.
 *
 * Two directories merge and the later one's attributes count. Every other collision removes the earlier file first, so
 * nothing is ever written through an existing inode, which may have names elsewhere. Whiteouts hide files of lower
 * layers; entries of this layer survive them, wherever they stand in the archive.
 * @param layer number of the layer, counted from 0
 * @throws OciError `ERR_LAYER_INVALID`, `ERR_LIMIT_EXCEEDED`, from the sink
 * @see image-spec v1.1.1 layer.md "Applying Changesets"
 */
export function createLayerApplier(site: Site, layer: number): LayerApplier {
  const plainFile: Leaf = { kind: 'leaf', layer, target: undefined, inode: undefined }
  const { tree } = site
  const files = createFileWriter(site)
  let chunkAt = 0
  let entries = 0

  function entry(entry: TarEntry): void {
    tree.entry = entry
    entries += 1
    const whiteout = parseWhiteout(entry.path)
    if (whiteout !== undefined) applyWhiteout(whiteout)
    else applyEntry(entry)
  }

  function applyEntry(entry: TarEntry): void {
    const parents = componentsOf(entry.path)
    const name = parents.pop()
    if (name === undefined) {
      applyRoot(entry)
      return
    }
    const parent = walk(site.root, parents, { enter, follows }) ?? site.root
    checkPathLimits(`${site.prefix}${parent.path}/${name}`, name, parent.depth)
    if (entry.kind === 'directory') {
      applyDirectory(parent, name, entry)
      return
    }
    site.budget.file()
    if (entry.kind === 'hardlink') applyHardLink(parent, name, entry)
    else {
      makeRoom(parent, name, entry)
      parent.children.set(name, create(parent, name, entry))
      touch(parent, layer)
    }
  }

  function applyWhiteout(whiteout: Whiteout): void {
    if (whiteout.kind === 'metadata') return
    if (whiteout.kind === 'remove') {
      const parent = walk(site.root, whiteout.dir, { enter: giveUp, follows })
      const node = parent?.children.get(whiteout.name)
      if (parent !== undefined && node !== undefined) hide(site, parent, whiteout.name, node, layer)
      return
    }
    // A symlink in the place of the directory is not followed: the layer puts a directory there, before or after.
    const name = whiteout.dir.at(-1)
    const parent = walk(site.root, whiteout.dir.slice(0, -1), { enter: giveUp, follows })
    const directory = name === undefined ? site.root : parent?.children.get(name)
    if (directory?.kind === 'directory') hideChildren(site, directory, layer)
  }

  function applyRoot(entry: TarEntry): void {
    if (entry.kind !== 'directory') {
      throw new OciError(
        'ERR_LAYER_INVALID',
        `entry ${shown(entry.path)} is the root directory, but has type ${entry.kind}`,
      )
    }
    setMetadata(site.root, entry)
  }

  /**
   * Creates a parent directory that has no entry, with mode 0755 as every tool does; a file in its place is removed.
   */
  function enter(parent: Directory, name: string, found: Leaf | undefined): Directory {
    if (found !== undefined) remove(site, parent, name, found)
    return makeDirectory(site, parent, name, layer)
  }

  const follows = (link: Leaf): boolean => site.choices.strictOverlay !== true || link.layer === layer

  function applyDirectory(parent: Directory, name: string, entry: TarEntry): void {
    const found = parent.children.get(name)
    if (found?.kind === 'leaf' && found.target !== undefined && site.choices.keepDirlinks) {
      const target = walk(site.root, componentsOf(childPath(parent, name)), { enter: giveUp })
      if (target !== undefined) {
        setMetadata(target, entry)
        return
      }
    }
    if (found?.kind !== 'directory') makeRoom(parent, name, entry)
    setMetadata(found?.kind === 'directory' ? found : makeDirectory(site, parent, name, layer), entry)
  }

  function setMetadata(directory: Directory, entry: TarEntry): void {
    const { mode, uid, gid, mtime } = owned(entry)
    directory.metadata = { mode, uid, gid, mtime, xattrs: applicableXattrs(site, entry) }
    touch(directory, layer)
  }

  function makeRoom(parent: Directory, name: string, entry: TarEntry): void {
    const found = parent.children.get(name)
    if (found === undefined) return
    if (found.layer === layer) site.warn(`entry ${shown(entry.path)} occurs more than once; the last one counts`)
    remove(site, parent, name, found)
  }

  function applyHardLink(parent: Directory, name: string, entry: TarEntry): void {
    const directories = componentsOf(entry.linkPath)
    const targetName = directories.pop() ?? ''
    const findTarget = (): [Directory, Leaf] => {
      const directory = walk(site.root, directories, { enter: giveUp })
      const node = directory?.children.get(targetName)
      if (directory !== undefined && node?.kind === 'leaf') return [directory, node]
      throw new OciError(
        'ERR_LAYER_INVALID',
        `entry ${shown(entry.path)} is a hard link to ${shown(entry.linkPath)}, which ` +
          (node === undefined ? 'does not exist' : 'is a directory'),
      )
    }
    const [place] = findTarget()
    if (place === parent && targetName === name) return
    makeRoom(parent, name, entry)
    // Looked up again: the entry just removed may have been a directory that contained the target.
    const [targetParent, { target, inode }] = findTarget()
    if (inode?.special === undefined) tree.makeLink({ parent: targetParent, name: targetName }, { parent, name })
    parent.children.set(
      name,
      target === undefined && inode === undefined ? plainFile : { kind: 'leaf', layer, target, inode },
    )
    touch(parent, layer)
  }

  function create(parent: Directory, name: string, entry: TarEntry): Leaf {
    switch (entry.kind) {
      case 'symlink':
        return createSymlink(parent, name, entry)
      case 'character':
      case 'block':
      case 'fifo':
        return createSpecial({ parent, name }, entry, specialTypes[entry.kind])
      default:
        return createFile(parent, name, entry)
    }
  }

  function createFile(parent: Directory, name: string, entry: TarEntry): Leaf {
    site.budget.data(entry)
    const inode = pending(entry)
    const mode = inode?.mode === undefined ? entry.mode : entry.mode | 0o200
    files.begin({ parent, name, entry: owned(entry), mode })
    return inode === undefined ? plainFile : { kind: 'leaf', layer, target: undefined, inode }
  }

  function createSymlink(parent: Directory, name: string, entry: TarEntry): Leaf {
    const target = entry.linkPath
    if (target === '')
      throw new OciError('ERR_LAYER_INVALID', `entry ${shown(entry.path)} is a symlink with an empty target`)
    checkLinkTarget(entry.path, target)
    const { uid, gid, mtime } = owned(entry)
    const owner = isForeign(site, { uid, gid }) ? { uid, gid } : undefined
    tree.makeSymlink({ parent, name }, target, { owner, time: mtime })
    return { kind: 'leaf', layer, target, inode: pending(entry) }
  }

  function createSpecial({ parent, name }: Place, entry: TarEntry, type: number): Leaf {
    const { mode, uid, gid, major, minor } = owned(entry)
    if (entry.kind !== 'fifo') {
      // Linux has 12 bits for the major and 20 for the minor number (include/linux/kdev_t.h).
      if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff) {
        throw new OciError(
          'ERR_LAYER_INVALID',
          `entry ${shown(entry.path)} is device ${major}:${minor}, which is out of range`,
        )
      }
      if (!site.canMakeDevices) {
        site.warn('device nodes are created as empty files: creating them needs root outside of user namespaces')
        return createFile(parent, name, { ...entry, kind: 'file' })
      }
    }
    const owner = site.isPrivileged ? { uid, gid } : { uid: site.uid, gid: site.gid }
    const special = { mode: type | mode, ...owner, major, minor }
    const inode = { special, mtime: entry.mtime, xattrs: applicableXattrs(site, entry), mode: undefined }
    return { kind: 'leaf', layer, target: undefined, inode }
  }

  /** The attributes that are set when the rootfs is finished; undefined when the file is complete once it is closed. */
  function pending(entry: TarEntry): Inode | undefined {
    const xattrs = applicableXattrs(site, entry)
    if (xattrs === undefined) return undefined
    const isReadOnly = !site.isPrivileged && (entry.mode & 0o200) === 0
    return { xattrs, mtime: undefined, mode: isReadOnly ? entry.mode : undefined, special: undefined }
  }

  function owned(entry: TarEntry): TarEntry {
    if (!(isID(entry.uid) && isID(entry.gid))) {
      throw new OciError(
        'ERR_LAYER_INVALID',
        `entry ${shown(entry.path)} has owner ${entry.uid}:${entry.gid}, which is out of range`,
      )
    }
    return entry
  }

  function finish(): void {
    // AUFS keeps hard-linked files under such names, for the links in the same layer to point to.
    for (const [name, node] of site.root.children) {
      if (name.startsWith('.wh..wh.')) remove(site, site.root, name, node)
    }
  }

  return {
    entry,
    data: (_chunk, start, end) => files.data(chunkAt + start, end - start),
    end: files.end,
    placed(from) {
      chunkAt = from
    },
    warn: site.warn,
    finish,
    get entries() {
      return entries
    },
  }
}

const giveUp = (): undefined => undefined

/** True for an id that chown(2) can set: 4294967295 is -1, "leave the id as it is". */
const isID = (id: number): boolean => id >= 0 && id < 0xffff_ffff
