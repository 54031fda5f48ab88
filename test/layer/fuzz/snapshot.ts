import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Model } from './model.ts'

/** A tree in lines: name, kind, mode, owner, time, contents or target, and the first name of the same file. */
export function snapshotOf(rootfs: string): string[] {
  const lines: string[] = []
  const first = new Map<string, string>()

  function visit(path: string): void {
    const place = Buffer.from(path === '' ? rootfs : `${rootfs}/${path}`, 'latin1')
    const stats = lstatSync(place, { bigint: true })
    const kind = stats.isDirectory()
      ? 'directory'
      : stats.isSymbolicLink()
        ? 'symlink'
        : stats.isFile()
          ? 'file'
          : stats.isFIFO()
            ? 'fifo'
            : 'character'
    const text =
      kind === 'symlink' ? readlinkSync(place, 'latin1') : kind === 'file' ? readFileSync(place, 'latin1') : ''
    const name = kind === 'directory' ? path : (first.get(String(stats.ino)) ?? path)
    first.set(String(stats.ino), name)
    lines.push(line(path, [kind, Number(stats.mode) & 0o7777, stats.uid, stats.gid, stats.mtimeNs, text, name]))
    if (kind !== 'directory') return
    for (const child of readdirSync(place, { encoding: 'latin1' }).sort())
      visit(path === '' ? child : `${path}/${child}`)
  }

  visit('')
  return lines.sort()
}

/** The tree of a model in the same lines. */
export function snapshotOfModel(model: Model): string[] {
  const first = new Map<object, string>()
  const inWalkOrder = [...model].sort(([a], [b]) => compareWalk(a, b))
  return inWalkOrder
    .map(([path, { kind, mode, uid, gid, time, text, identity }]) => {
      const name = kind === 'directory' ? path : (first.get(identity) ?? path)
      first.set(identity, name)
      return line(path, [kind, mode, uid, gid, time, text, name])
    })
    .sort()
}

/** Sorted: directories before their content, names in byte order. */
function compareWalk(a: string, b: string): number {
  const [one, other] = [a.split('/'), b.split('/')]
  for (let i = 0; ; i += 1) {
    const [x, y] = [one[i], other[i]]
    if (x === y && x === undefined) return 0
    if (x === undefined) return -1
    if (y === undefined) return 1
    if (x !== y) return x < y ? -1 : 1
  }
}

function line(path: string, [kind, mode, ...rest]: readonly unknown[]): string {
  const shownMode = kind === 'symlink' ? '' : Number(mode).toString(8)
  return [JSON.stringify(path), kind, shownMode, ...rest.map((value) => JSON.stringify(String(value)))].join(' ')
}
