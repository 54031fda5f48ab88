import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { structs, treeKinds, treeMemoryBytes } from '../../src/program/contract.ts'
import { layOut } from '../../src/program/structs.ts'
import { createTreeCommands, type TreeCommands } from '../../src/program/tree-commands.ts'
import type { TreeProcess } from '../../src/program/tree-process.ts'
import { startTree } from '../../src/runtime/tree-process.ts'

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

let top: string
let tree: TreeProcess
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'tree-'))
  mkdirSync(join(top, 'root'))
  mkdirSync(join(top, 'outside'))
  writeFileSync(join(top, 'outside/canary'), 'untouched')
  tree = startTree(join(top, 'root'))
})
afterEach(async () => {
  await tree.close()
  expect(readdirSync(join(top, 'outside'))).toEqual(['canary'])
  expect(readFileSync(join(top, 'outside/canary'), 'utf8')).toBe('untouched')
  rmSync(top, { recursive: true })
})

const root = { owner: undefined, time: { seconds: 7, nanoseconds: 0 } }
const nothing = { from: 0, length: 0, position: 0, isLast: true }

/** Sends commands, each with its number as its thing, and waits for them. */
function done(...add: readonly ((commands: TreeCommands) => void)[]): Promise<void> {
  const commands = createTreeCommands()
  for (const command of add) command(commands)
  tree.send(commands.take(), [...add.keys()])
  return tree.idle()
}

test('files, directories and links are made where they belong, and removed', async () => {
  const from = await tree.place(Buffer.from('hello'))
  await tree.placed()
  await done(
    (c) => c.directory('a', 0o755),
    (c) => c.enter('a'),
    (c) => c.directory('b', 0o755),
    (c) => c.enter('a/b'),
    (c) => c.file('f', { ...root, mode: 0o640 }, { from, length: 5, position: 0, isLast: true }),
    (c) => c.enter(''),
    (c) => c.link('a/b/f', 'g'),
    (c) => c.symlink('s', 'a/b', root),
    (c) => c.remove('a'),
  )
  expect(readdirSync(join(top, 'root')).sort()).toEqual(['g', 's'])
  expect(readFileSync(join(top, 'root/g'), 'utf8')).toBe('hello')
  await done(
    (c) => c.unlink('g'),
    (c) => c.unlink('s'),
  )
  expect(readdirSync(join(top, 'root'))).toEqual([])
})

test('a directory with more files than one read of it gives is removed whole, and no link in it is followed', async () => {
  mkdirSync(join(top, 'root/d/e'), { recursive: true })
  for (let i = 0; i < 3000; i++) writeFileSync(join(top, `root/d/e/file-with-a-long-name-${i}`), '')
  symlinkSync(join(top, 'outside'), join(top, 'root/d/link'))
  await done((c) => c.remove('d'))
  expect(readdirSync(join(top, 'root'))).toEqual([])
})

test.each<[string, (c: TreeCommands) => void, string]>([
  ['enters a link', (c) => c.enter('out'), 'ELOOP'],
  ['enters a directory behind a link', (c) => c.enter('out/x'), 'ELOOP'],
  ['enters what is above', (c) => c.enter('../outside'), 'EXDEV'],
  ['enters an absolute path', (c) => c.enter('/etc'), 'EXDEV'],
  ['makes a file where a link is', (c) => c.file('out', { ...root, mode: 0o600 }, nothing), 'EEXIST'],
  ['links to a file behind a link', (c) => c.link('out/canary', 'stolen'), 'ELOOP'],
  ['removes a link as a directory', (c) => c.remove('out'), 'ENOTDIR'],
])('a command that %s fails', async (_, command, code) => {
  symlinkSync('../outside', join(top, 'root/out'))
  await expect(
    done(
      (c) => c.directory('before', 0o755),
      command,
      (c) => c.directory('after', 0o755),
    ),
  ).rejects.toThrow(expect.objectContaining({ thing: 1, cause: expect.objectContaining({ code }) }))
  expect(readdirSync(join(top, 'root')).sort()).toEqual(['before', 'out'])
})

test.each<[string, (c: TreeCommands) => void]>([
  [
    'data behind the end of the memory',
    (c) => c.data({ from: treeMemoryBytes - 1, length: 2, position: 0, isLast: true }),
  ],
  ['data of a length that overflows', (c) => c.data({ from: 8, length: 0xffff_ffff, position: 0, isLast: true })],
])('%s are refused', async (_, data) => {
  const open = { from: 0, length: 0, position: 0, isLast: false }
  await expect(done((c) => c.file('f', { ...root, mode: 0o600 }, open), data)).rejects.toMatchObject({
    cause: { code: 'EPROTO' },
  })
})

test('data without a file, and a file while another one is open, are refused', async () => {
  await expect(done((c) => c.data(nothing))).rejects.toMatchObject({ cause: { code: 'EPROTO' } })
})

test.each<[string, { kind: number; name?: number }, string]>([
  ['of no kind', { kind: 99 }, ''],
  ['with a name without its NUL', { kind: treeKinds.unlink, name: 4 }, 'name'],
  ['with a name that is too long', { kind: treeKinds.unlink, name: 5000 }, 'x'.repeat(4999)],
])('a command %s is refused', async (_, fields, text) => {
  const { size, at } = layOut(structs.tree_command)
  const command = Buffer.alloc(Math.ceil((size + (fields.name ?? 0)) / 8) * 8)
  command.writeUInt16LE(fields.kind, at.kind)
  command.writeUInt16LE(fields.name ?? 0, at.name)
  command.write(text, size)
  tree.send(command, ['damaged'])
  await expect(tree.idle()).rejects.toMatchObject({ thing: 'damaged', cause: { code: 'EPROTO' } })
})

test('names and targets of any bytes are exact, and longer ones than a path may be are refused here', async () => {
  const name = String.fromCharCode(...Array.from({ length: 255 }, (_, i) => (i + 1 === 47 ? 48 : i + 1)))
  await done((c) => c.symlink(name, 'x'.repeat(4094), root))
  expect(readdirSync(join(top, 'root'), 'latin1')).toEqual([name])
  expect(() => createTreeCommands().symlink('a', 'x'.repeat(4096), root)).toThrow('too long')
})
